"""The shell around the segments: what it says, and what it does when a recognizer fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest
import uvloop

from voxbus_contracts import Event
from voxbus_contracts.assistant import Transcriber, WordLabel
from voxbus_contracts.events import (
    FaultRaised,
    SpeechStarted,
    SpeechStopped,
    TranscriptFinal,
    TranscriptPartial,
    UsageRecorded,
)
from voxbus_providers.errors import ProviderMissing, ProviderUnavailable
from voxbus_providers.recognizer import HeardFrame, Hearing, Recognizer, RecognizerRequest, RecognizerSession
from voxbus_stt_worker.ordering import Hole
from voxbus_stt_worker.recognition import Patience, Recognition
from voxbus_stt_worker.segments import Segments
from voxbus_testing.position import PositionRecognizer, PositionSession

LABELS = tuple(
    WordLabel(text=text, start_ms=at_ms, end_ms=at_ms + 100)
    for text, at_ms in (("where", 1_000), ("is", 1_200), ("it", 1_400), ("now", 4_000))
)


class FailingSession(PositionSession):
    """Says nothing and is lost, at once or when it is flushed, or hangs."""

    def __init__(self, lost: str) -> None:
        super().__init__(LABELS)
        self._lost = lost
        self._flushed = asyncio.Event()

    def flush(self) -> None:
        self._flushed.set()

    async def hearings(self) -> AsyncIterator[Hearing]:
        if self._lost == "at flush":
            await self._flushed.wait()
        if self._lost == "never":
            await asyncio.Event().wait()
        raise ProviderUnavailable("position", "lost")
        yield  # pragma: no cover


class FlakyRecognizer(PositionRecognizer):
    """The sessions named in `fates` fail, in order; those behind them work."""

    def __init__(self, *fates: str) -> None:
        self.fates = list(fates)

    async def open(self, request: RecognizerRequest) -> RecognizerSession:
        if not self.fates:
            return PositionSession(LABELS)
        fate = self.fates.pop(0)
        if fate == "does not open":
            raise ProviderUnavailable("position", fate)
        return FailingSession(fate)


class FakeEngines:
    """Knows one recognizer, by the names given."""

    def __init__(self, engine: Recognizer, *names: str) -> None:
        self.default = names[0]
        self._engine = engine
        self._names = names

    async def get(self, name: str) -> Recognizer:
        if name not in self._names:
            raise ProviderMissing(name, "unknown")
        return self._engine


class Call:
    """A recognition with its events, driven by a test."""

    def __init__(self, recognizer: Recognizer, transcriber: Transcriber, patience: Patience) -> None:
        self.said: list[Event] = []
        self.asked: list[Hole] = []
        self._news = asyncio.Event()
        engines = FakeEngines(recognizer, "position")
        self.recognition = Recognition(
            Segments(), RecognizerRequest(transcriber), engines, patience, self._say, self.asked.append
        )
        self._running = asyncio.ensure_future(self.recognition.run())

    def _say(self, event: Event) -> None:
        self.said.append(event)
        self._news.set()

    def finals(self) -> list[TranscriptFinal]:
        return [event for event in self.said if isinstance(event, TranscriptFinal)]

    def faults(self) -> list[str]:
        return [event.code for event in self.said if isinstance(event, FaultRaised)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def hear(self, from_ms: int, upto_ms: int) -> None:
        for pts_ms in range(from_ms, upto_ms, 20):
            self.recognition.on_frame(HeardFrame(pts_ms, bytes(640)))

    def speak(self, seq: int, from_ms: int, upto_ms: int) -> None:
        """A stretch of speech, all at once."""
        self.recognition.on_speech_started(SpeechStarted(speech_seq=seq, pts_ms=from_ms, detected_pts_ms=from_ms + 80))
        self.hear(from_ms - 300, upto_ms + 200)
        self.recognition.on_speech_stopped(
            SpeechStopped(speech_seq=seq, pts_ms=upto_ms, detected_pts_ms=upto_ms + 200, voiced_ms=100)
        )

    async def close(self) -> None:
        self.recognition.stop()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


MakeCall = Callable[..., Call]


@pytest.fixture
async def make_call() -> AsyncIterator[MakeCall]:
    made: list[Call] = []

    def make(*fates: str, transcriber: Transcriber | None = None, patience: Patience | None = None) -> Call:
        chosen = transcriber or Transcriber(model="position")
        made.append(Call(FlakyRecognizer(*fates), chosen, patience or Patience()))
        return made[-1]

    yield make
    for call in made:
        await call.close()


async def test_a_stretch_of_speech_becomes_partials_a_final_and_its_usage(make_call: MakeCall) -> None:
    call = make_call()
    call.speak(1, 960, 1_500)
    await call.until(lambda: isinstance(call.said[-1] if call.said else None, UsageRecorded))
    partial, final, usage = call.said
    assert isinstance(partial, TranscriptPartial)
    assert (partial.transcript_seq, partial.text, partial.start_pts_ms) == (1, "where", 960)
    assert isinstance(final, TranscriptFinal)
    assert (final.transcript_seq, final.speech_seq, final.text) == (1, 1, "where is it")
    assert (final.start_pts_ms, final.end_pts_ms, final.provider) == (960, 1_700, "position")
    assert isinstance(usage, UsageRecorded)
    assert (usage.item, usage.provider, usage.model, usage.unit) == ("transcriber", "vapi", "position", "ms")
    assert usage.quantity == 1_700 - 660


async def test_a_lost_recognizer_is_replaced_and_hears_all_of_the_stretch_again(make_call: MakeCall) -> None:
    call = make_call("at flush")
    call.speak(1, 960, 1_500)
    await call.until(lambda: bool(call.finals()))
    assert [final.text for final in call.finals()] == ["where is it"]
    assert call.faults() == ["provider-unavailable"]


async def test_a_recognizer_lost_in_mid_speech_loses_no_word(make_call: MakeCall) -> None:
    call = make_call("at once")
    call.recognition.on_speech_started(SpeechStarted(speech_seq=1, pts_ms=960, detected_pts_ms=1_040))
    call.hear(660, 1_300)
    await call.until(lambda: bool(call.faults()))
    call.hear(1_300, 1_700)
    call.recognition.on_speech_stopped(SpeechStopped(speech_seq=1, pts_ms=1_500, detected_pts_ms=1_700, voiced_ms=100))
    await call.until(lambda: bool(call.finals()))
    assert call.finals()[0].text == "where is it"


async def test_after_three_failures_the_final_is_empty_and_the_next_stretch_is_tried_again(make_call: MakeCall) -> None:
    call = make_call("at flush", "does not open", "at once")
    call.speak(1, 960, 1_500)
    await call.until(lambda: bool(call.finals()))
    call.hear(1_700, 3_660)
    call.speak(2, 3_960, 4_500)
    await call.until(lambda: len(call.finals()) == 2)
    assert [(final.transcript_seq, final.speech_seq, final.text) for final in call.finals()] == [
        (1, 1, ""),
        (2, 2, "now"),
    ]
    assert call.faults() == ["provider-unavailable"] * 3
    assert sum(isinstance(event, UsageRecorded) for event in call.said) == 1, "what failed costs nothing"


async def test_a_recognizer_that_fails_all_the_way_through_a_stretch_gives_it_an_empty_final(
    make_call: MakeCall,
) -> None:
    call = make_call("at once", "at once", "at once")
    call.recognition.on_speech_started(SpeechStarted(speech_seq=1, pts_ms=960, detected_pts_ms=1_040))
    call.hear(660, 1_300)
    await call.until(lambda: len(call.faults()) == 3)
    call.hear(1_300, 1_700)
    call.recognition.on_speech_stopped(SpeechStopped(speech_seq=1, pts_ms=1_500, detected_pts_ms=1_700, voiced_ms=100))
    await call.until(lambda: bool(call.finals()))
    assert call.finals()[0].text == ""


async def test_a_recognizer_that_never_answers_counts_as_lost(make_call: MakeCall) -> None:
    call = make_call("never", patience=Patience(final_timeout_ms=20))
    call.speak(1, 960, 1_000)
    await call.until(lambda: bool(call.finals()))
    assert call.finals()[0].text == "where"
    assert call.faults() == ["provider-unavailable"]


async def test_an_idle_recognizer_that_fails_for_ever_raises_no_flood_of_faults(make_call: MakeCall) -> None:
    call = make_call(*["at once"] * 50)
    await call.until(lambda: bool(call.faults()))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(call.faults()) == 1


async def test_a_recognizer_that_is_not_installed_is_replaced_by_the_default_one_and_said_so(
    make_call: MakeCall,
) -> None:
    call = make_call(transcriber=Transcriber(provider="deepgram", model="nova-3"))
    call.speak(1, 960, 1_500)
    await call.until(lambda: isinstance(call.said[-1] if call.said else None, UsageRecorded))
    assert call.faults() == ["provider-missing"]
    assert call.finals()[0].text == "where is it"
    usage = call.said[-1]
    assert isinstance(usage, UsageRecorded)
    assert (usage.provider, usage.model) == ("vapi", "position")


async def test_the_end_of_the_call_flushes_the_open_stretch(make_call: MakeCall) -> None:
    call = make_call()
    call.recognition.on_speech_started(SpeechStarted(speech_seq=1, pts_ms=960, detected_pts_ms=1_040))
    call.hear(660, 1_340)
    call.recognition.on_call_ended()
    async with asyncio.timeout(10):
        await call.recognition.settled()
    assert [(final.text, final.end_pts_ms) for final in call.finals()] == [("where is", 1_340)]


async def test_a_hole_is_asked_of_the_stream_and_given_up_without_an_answer(make_call: MakeCall) -> None:
    call = make_call()
    call.recognition.on_speech_started(SpeechStarted(speech_seq=1, pts_ms=960, detected_pts_ms=1_040))
    call.hear(660, 1_040)
    call.hear(1_060, 1_700)
    call.recognition.on_speech_stopped(SpeechStopped(speech_seq=1, pts_ms=1_500, detected_pts_ms=1_700, voiced_ms=100))
    async with asyncio.timeout(10):
        while not call.asked:
            await asyncio.sleep(0.01)
    assert call.asked == [Hole(1_040, 1_060)]
    call.recognition.on_hole_answered([])
    await call.until(lambda: bool(call.finals()))
    assert call.finals()[0].text == "is it", "the frame of the first word never came"


def test_a_moment_that_has_passed_already_is_waited_for_as_any_other_in_uvloop() -> None:
    """Its handles have no `when` once their time has come."""

    async def hears_with_a_hole_on_a_late_machine() -> list[str]:
        call = Call(FlakyRecognizer(), Transcriber(model="position"), Patience())
        loop, call_at = asyncio.get_running_loop(), asyncio.get_running_loop().call_at
        late = SimpleNamespace(
            time=loop.time, call_at=lambda at_s, callback: call_at(min(at_s, loop.time() - 1), callback)
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("voxbus_stt_worker.recognition.asyncio.get_running_loop", lambda: late)
            call.recognition.on_speech_started(SpeechStarted(speech_seq=1, pts_ms=960, detected_pts_ms=1_040))
            call.hear(660, 1_040)
            call.hear(1_060, 1_700)
            stopped = SpeechStopped(speech_seq=1, pts_ms=1_500, detected_pts_ms=1_700, voiced_ms=100)
            call.recognition.on_speech_stopped(stopped)
        call.recognition.on_hole_answered([HeardFrame(1_040, bytes(640))])
        await call.until(lambda: bool(call.finals()))
        await call.close()
        return [final.text for final in call.finals()]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(hears_with_a_hole_on_a_late_machine()) == ["where is it"]
