"""One sentence becomes frames, whichever engine has to make them and wherever one fails."""

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from voxbus_contracts.events import SpeechSynthesized
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_providers.errors import ProviderError, ProviderMissing, ProviderRejected, ProviderUnavailable
from voxbus_providers.voice import Voice, VoiceCapabilities, VoiceChunk, VoiceRequest, WordTime
from voxbus_tts_worker.choosing import Choice
from voxbus_tts_worker.speaking import Sentence
from voxbus_tts_worker.utterance import Pace, Utterance

ONE, OTHER = Choice("one"), Choice("other")


class FakeVoice(Voice):
    """Gives `pcm` in chunks of `step` bytes; fails `faults` times, after `fails_after` chunks."""

    name: ClassVar[str] = "fake"
    capabilities: ClassVar[VoiceCapabilities] = VoiceCapabilities(word_times=True)

    def __init__(self, pcm: bytes, step: int = 1_000) -> None:
        self.pcm = pcm
        self.step = step
        self.faults: list[Exception] = []
        self.fails_after = 0
        self.hangs = False
        self.closed = 0

    async def synthesize(self, request: VoiceRequest) -> AsyncIterator[VoiceChunk]:
        fault = self.faults.pop(0) if self.faults else None
        try:
            for number, at in enumerate(range(0, len(self.pcm), self.step)):
                if fault is not None and number == self.fails_after:
                    raise fault
                yield VoiceChunk(self.pcm[at : at + self.step])
            if fault is not None:
                raise fault
            if self.hangs:
                await asyncio.Event().wait()
            yield VoiceChunk(b"", (WordTime(request.text, 0, 10),))
        finally:
            self.closed += 1

    async def close(self) -> None:
        """Nothing is kept."""


class FakeEngines:
    """Engines by name; others are missing."""

    defaults = ("one", "other")

    def __init__(self, **voices: Voice) -> None:
        self.voices = voices

    async def get(self, name: str) -> Voice:
        if name not in self.voices:
            raise ProviderMissing(name, "not here")
        return self.voices[name]


class FakeLine:
    """Keeps the frames."""

    def __init__(self) -> None:
        self.hurry = asyncio.Event()
        self.frames: list[AudioFrame] = []

    async def send(self, frame: AudioFrame, *, may_wait: bool) -> None:
        self.frames.append(frame)

    @property
    def pcm(self) -> bytes:
        return b"".join(frame.pcm for frame in self.frames)


def sound(frames: int, rest_bytes: int = 0) -> bytes:
    return bytes(1 + at % 255 for at in range(640 * frames + rest_bytes))


async def spoken(
    engines: FakeEngines, pace: Pace | None = None, sentence: Sentence | None = None
) -> tuple[FakeLine, SpeechSynthesized, list[tuple[Choice, ProviderError]], Utterance]:
    line, failures = FakeLine(), list[tuple[Choice, ProviderError]]()

    async def on_failure(choice: Choice, problem: ProviderError) -> None:
        failures.append((choice, problem))

    utterance = Utterance(sentence or Sentence(3, "Hello."), 1.0, line, engines, pace or Pace())
    synthesized = await asyncio.wait_for(utterance.speak((ONE, OTHER), on_failure), 5)
    return line, synthesized, failures, utterance


@pytest.mark.parametrize("step", [2, 100, 640, 1_000, 10_000])
async def test_frames_are_numbered_20_ms_apart_and_the_last_is_filled_up_with_silence(step: int) -> None:
    pcm = sound(3, rest_bytes=100)
    line, synthesized, failures, _ = await spoken(FakeEngines(one=FakeVoice(pcm, step)))
    assert line.pcm == pcm + bytes(540)
    assert [frame.pts_ms for frame in line.frames] == [0, 20, 40, 60]
    assert [frame.last for frame in line.frames] == [False, False, False, True]
    assert all(frame.utterance_seq == 3 and frame.origin_unix_us > 0 for frame in line.frames)
    assert (synthesized.duration_ms, synthesized.characters, synthesized.provider) == (80, 6, "one")
    assert [word.text for word in synthesized.words] == ["Hello."]
    assert failures == []


async def test_a_sentence_without_sound_still_ends() -> None:
    line, synthesized, failures, utterance = await spoken(FakeEngines(one=FakeVoice(b"")))
    assert [(frame.last, frame.pcm) for frame in line.frames] == [(True, b"")]
    assert synthesized.duration_ms == 0
    assert (failures, utterance.failed, utterance.is_audible) == ([], False, False)


async def test_before_the_first_frame_another_engine_takes_over() -> None:
    broken, other = FakeVoice(sound(4)), FakeVoice(sound(2))
    broken.faults = [ProviderRejected("one", "no")]
    line, synthesized, failures, _ = await spoken(FakeEngines(one=broken, other=other))
    assert line.pcm == other.pcm
    assert synthesized.provider == "other"
    assert [choice for choice, _ in failures] == [ONE]


async def test_a_missing_engine_is_passed_over() -> None:
    line, synthesized, failures, _ = await spoken(FakeEngines(other=FakeVoice(sound(2))))
    assert (len(line.frames), synthesized.provider) == (2, "other")
    assert [problem.code for _, problem in failures] == ["provider-missing"]


async def test_in_the_middle_the_same_engine_goes_on_at_the_next_frame() -> None:
    one, other = FakeVoice(sound(20)), FakeVoice(sound(5))
    one.faults, one.fails_after = [ProviderUnavailable("one", "died")], 6
    line, synthesized, failures, _ = await spoken(FakeEngines(one=one, other=other))
    assert line.pcm == one.pcm
    assert [frame.pts_ms for frame in line.frames] == [20 * index for index in range(20)]
    assert synthesized.duration_ms == 400
    assert len(failures) == 1
    assert not synthesized.failed


async def test_when_it_fails_twice_in_the_middle_the_utterance_ends_with_what_is_out() -> None:
    one = FakeVoice(sound(20))
    one.faults, one.fails_after = [ProviderUnavailable("one", "died")] * 2, 6
    line, synthesized, failures, utterance = await spoken(FakeEngines(one=one, other=FakeVoice(sound(5))))
    *heard, last = line.frames
    assert one.pcm.startswith(b"".join(frame.pcm for frame in heard))
    assert (last.last, last.pcm, last.pts_ms) == (True, b"", 20 * len(heard))
    assert synthesized.duration_ms == 20 * len(heard) > 0
    assert len(failures) == 2
    assert utterance.failed
    assert synthesized.failed


async def test_when_nobody_can_say_it_playback_gets_an_empty_last_frame() -> None:
    line, synthesized, failures, utterance = await spoken(FakeEngines())
    assert [(frame.last, frame.pcm, frame.pts_ms) for frame in line.frames] == [(True, b"", 0)]
    assert (synthesized.duration_ms, synthesized.words) == (0, ())
    assert len(failures) == 2
    assert utterance.failed
    assert synthesized.failed


async def test_an_engine_that_hangs_counts_as_lost() -> None:
    hanging, other = FakeVoice(b""), FakeVoice(sound(2))
    hanging.hangs = True
    line, _, failures, _ = await spoken(FakeEngines(one=hanging, other=other), Pace(timeout_ms=30))
    assert line.pcm == other.pcm
    assert [problem.detail for _, problem in failures] == ["no audio within 30 ms"]
    assert hanging.closed == 1


async def test_a_long_sentence_is_held_back_beyond_its_lead_until_the_worker_leaves() -> None:
    line = FakeLine()
    utterance = Utterance(Sentence(1, "x"), 1.0, line, FakeEngines(one=FakeVoice(sound(200))), Pace(ahead_ms=1_000))

    async def on_failure(choice: Choice, problem: ProviderError) -> None:
        raise AssertionError(choice) from problem

    speaking = asyncio.create_task(utterance.speak((ONE,), on_failure))
    async with asyncio.timeout(5):
        while len(line.frames) < 50:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(line.frames) < 100
        line.hurry.set()
        await speaking
    assert len(line.frames) == 200


async def test_a_sentence_said_again_is_not_held_back() -> None:
    engines = FakeEngines(one=FakeVoice(sound(500)))
    repeat = Sentence(1, "x", is_repeat=True)
    async with asyncio.timeout(2):
        line, *_ = await spoken(engines, Pace(ahead_ms=1_000), repeat)
    assert len(line.frames) == 500


async def test_a_cancelled_sentence_stops_the_engine() -> None:
    voice, line = FakeVoice(sound(500)), FakeLine()
    utterance = Utterance(Sentence(1, "x"), 1.0, line, FakeEngines(one=voice), Pace(ahead_ms=1_000))

    async def on_failure(choice: Choice, problem: ProviderError) -> None:
        raise AssertionError(choice) from problem

    speaking = asyncio.create_task(utterance.speak((ONE,), on_failure))
    async with asyncio.timeout(5):
        while not utterance.is_audible:
            await asyncio.sleep(0)
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    assert voice.closed == 1
    assert not any(frame.last for frame in line.frames)
