"""The real engines in their child processes, and the stub: the suite of all voices, and what is special to each."""

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from voxbus_providers.errors import ProviderMissing, ProviderRejected
from voxbus_providers.voice import Voice, VoiceRequest
from voxbus_testing.conformance import VoiceConformance, VoiceProcessConformance, spoken
from voxbus_testing.stub_voice import StubVoice, stub_duration_ms, stub_tone
from voxbus_tts_worker.engines import Engines
from voxbus_tts_worker.providers.child_voice import ChildVoice
from voxbus_tts_worker.providers.espeak import EspeakVoice
from voxbus_tts_worker.providers.flite import FliteVoice

V = TypeVar("V", bound=Voice)


def has_flite() -> bool:
    with contextlib.suppress(OSError):
        return bool(ctypes.CDLL("libflite.so.1"))
    return False


needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="requirements/voice-espeak.lock is not installed"
)
needs_flite = pytest.mark.skipif(not has_flite(), reason="flite is not installed: apt install flite")


@contextlib.asynccontextmanager
async def started(voice: V) -> AsyncIterator[V]:
    await voice.start()
    try:
        yield voice
    finally:
        await voice.close()


def kill_all(voice: Voice) -> None:
    assert isinstance(voice, ChildVoice)
    for child in voice.children:
        if child.pid is not None:
            os.kill(child.pid, signal.SIGKILL)


def leading_ms(pcm: bytes) -> float:
    loud = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(int)) > 32)
    return float(loud[0]) / 16


@needs_espeak
class TestEspeak(VoiceProcessConformance):
    @pytest.fixture
    async def voice(self) -> AsyncIterator[Voice]:
        async with started(EspeakVoice()) as voice:
            yield voice

    @pytest.fixture
    async def other_voice(self) -> AsyncIterator[Voice]:
        async with started(EspeakVoice()) as voice:
            yield voice

    def kill_engine(self, voice: Voice) -> None:
        kill_all(voice)

    async def test_words_are_those_between_blanks_whatever_is_spoken_for_them(self, voice: Voice) -> None:
        text = "Well, world - your order 4711 (a big one) has shipped... Grüße für Ömer, don't 😀 wait! €5.20 x"
        _, words = await spoken(voice, VoiceRequest(text, ""))
        assert [word.text for word in words] == text.split()

    async def test_a_voice_can_be_chosen_and_an_unknown_one_is_refused(self, voice: Voice) -> None:
        usual, _ = await spoken(voice, VoiceRequest("Guten Tag.", ""))
        german, _ = await spoken(voice, VoiceRequest("Guten Tag.", "de"))
        assert usual != german
        for wrong in ("nobody", "../../etc/passwd"):
            with pytest.raises(ProviderRejected):
                await spoken(voice, VoiceRequest("Guten Tag.", wrong))
        assert (await spoken(voice, VoiceRequest("Guten Tag.", "")))[0] == usual

    async def test_the_gpl_library_is_in_the_child_and_not_in_the_service(self, voice: Voice) -> None:
        assert isinstance(voice, EspeakVoice)
        pid = voice.children[0].pid
        if not Path(f"/proc/{pid}/maps").exists():
            pytest.skip("only Linux tells which libraries a process has loaded")
        assert "libespeak" in Path(f"/proc/{pid}/maps").read_text()
        assert "libespeak" not in Path("/proc/self/maps").read_text()


@needs_flite
class TestFlite(VoiceProcessConformance):
    @pytest.fixture
    async def voice(self) -> AsyncIterator[Voice]:
        async with started(FliteVoice()) as voice:
            yield voice

    @pytest.fixture
    async def other_voice(self) -> AsyncIterator[Voice]:
        async with started(FliteVoice()) as voice:
            yield voice

    def kill_engine(self, voice: Voice) -> None:
        kill_all(voice)

    async def test_a_voice_of_8_khz_is_not_taken_for_one_of_16(self, voice: Voice) -> None:
        lengths: dict[str, int] = {}
        for name in ("slt", "rms", "kal16", "kal"):
            pcm, _ = await spoken(voice, VoiceRequest(self.sentence, name))
            lengths[name] = len(pcm) // 32
        assert 0.75 < lengths["kal"] / lengths["kal16"] < 1.33
        assert all(1_000 < length_ms < 3_000 for length_ms in lengths.values()), lengths

    async def test_an_unknown_voice_is_refused(self, voice: Voice) -> None:
        with pytest.raises(ProviderRejected, match="there are: slt"):
            await spoken(voice, VoiceRequest("Hello.", "nobody"))


class TestStub(VoiceConformance):
    @pytest.fixture
    async def voice(self) -> Voice:
        return StubVoice()

    @pytest.fixture
    async def other_voice(self) -> Voice:
        return StubVoice()

    async def test_it_speaks_30_ms_a_character(self, voice: Voice) -> None:
        pcm, words = await spoken(voice, VoiceRequest("Hello you", "0"))
        assert len(pcm) / 32 == 270 == stub_duration_ms("Hello you")
        assert [(word.start_ms, word.end_ms) for word in words] == [(0, 150), (180, 270)]


@pytest.mark.parametrize(
    "voice_type", [pytest.param(EspeakVoice, marks=needs_espeak), pytest.param(FliteVoice, marks=needs_flite)]
)
async def test_speech_begins_at_once_and_no_process_is_left_behind(voice_type: type[ChildVoice]) -> None:
    async with started(voice_type(2)) as voice:
        pids = [child.pid for child in voice.children]
        for text in ("Hello there.", "Friday is fine.", "Your order ships.", "Shall I?"):
            pcm, _ = await spoken(voice, VoiceRequest(text, ""))
            assert leading_ms(pcm) <= 10
    for pid in pids:
        assert pid is not None
        assert not Path(f"/proc/{pid}").exists()


@needs_espeak
async def test_a_sentence_that_nobody_wants_any_more_does_not_hold_up_the_next() -> None:
    async with started(EspeakVoice()) as voice:
        asked = voice.synthesize(VoiceRequest("This is a very long text. " * 2_000, ""))
        await anext(asked)
        await asked.aclose()  # pyright: ignore[reportAttributeAccessIssue]
        async with asyncio.timeout(2):
            await spoken(voice, VoiceRequest("Hello.", ""))


@needs_espeak
async def test_an_engine_that_loses_memory_gets_a_new_process_and_nobody_hears_it() -> None:
    async with started(EspeakVoice()) as voice:
        voice.sentences_per_process = 3
        old = voice.children[0]
        pid = old.pid
        request = VoiceRequest("Hello.", "")
        said = [(await spoken(voice, request))[0] for _ in range(3)]
        async with asyncio.timeout(20):
            while Path(f"/proc/{pid}").exists():
                said.append((await spoken(voice, request))[0])
        assert set(said) == {said[0]}
        assert voice.children[0] is not old
        assert voice.children[0].is_up


async def test_without_any_voice_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxbus_tts_worker.engines.VOICES", {})
    with pytest.raises(ProviderMissing, match=r"requirements/voice-espeak\.lock.*apt install flite"):
        await Engines("", {}).start()


async def test_the_stub_streams_chunks_after_the_delay_in_its_name() -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    chunks = [(loop.time() - began_s, chunk) async for chunk in StubVoice().synthesize(VoiceRequest("Hello you", "80"))]
    assert b"".join(chunk.pcm for _, chunk in chunks) == stub_tone(270)
    assert [len(chunk.pcm) // 32 for _, chunk in chunks] == [100, 100, 70]
    assert chunks[0][0] >= 0.08
    assert chunks[2][0] >= 0.105
