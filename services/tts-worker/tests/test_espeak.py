"""espeak-ng in its child process: the suite of all voices, its word times and its licence's fence."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voxbus_providers.errors import ProviderRejected
from voxbus_providers.voice import Voice, VoiceRequest
from voxbus_testing.conformance import VoiceProcessConformance, spoken
from voxbus_tts_worker.providers.espeak import EspeakVoice

pytest.importorskip("espeakng_loader", reason="the extra 'voice-espeak' is not installed")


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    await voice.start()
    yield voice
    await voice.close()


class TestConformance(VoiceProcessConformance):
    voice_id = "espeak"

    @pytest.fixture
    async def voice(self, espeak: EspeakVoice) -> Voice:
        return espeak

    @pytest.fixture
    async def other_voice(self) -> AsyncIterator[Voice]:
        voice = EspeakVoice()
        await voice.start()
        yield voice
        await voice.close()

    def kill_engine(self, voice: Voice) -> None:
        assert isinstance(voice, EspeakVoice)
        if voice.child.pid is not None:
            os.kill(voice.child.pid, signal.SIGKILL)


async def test_a_number_is_one_word_however_many_are_spoken(espeak: EspeakVoice) -> None:
    _, words = await spoken(espeak, VoiceRequest("Order 4711 ships, déjà vu.", "espeak"))
    assert [word.text for word in words] == ["Order", "4711", "ships", "déjà", "vu"]


async def test_word_times_go_on_from_piece_to_piece(espeak: EspeakVoice) -> None:
    text = "This sentence is spoken again and again. " * 20
    pcm, words = await spoken(espeak, VoiceRequest(text, "espeak"))
    assert len(words) == 7 * 20
    assert all(first.end_ms <= second.start_ms for first, second in zip(words, words[1:], strict=False))
    assert len(pcm) / 32 - 600 < words[-1].end_ms <= len(pcm) / 32


async def test_the_name_of_the_voice_chooses_the_language_and_a_wrong_one_is_refused(espeak: EspeakVoice) -> None:
    spoken_by = {
        voice_id: (await spoken(espeak, VoiceRequest("Guten Tag.", voice_id)))[0]
        for voice_id in ("Elliot", "espeak", "espeak-ng", "espeak-en-us", "espeak-de")
    }
    assert spoken_by["Elliot"] == spoken_by["espeak"] == spoken_by["espeak-ng"] == spoken_by["espeak-en-us"]
    assert spoken_by["espeak-de"] != spoken_by["espeak"]
    with pytest.raises(ProviderRejected, match="klingon-2"):
        await spoken(espeak, VoiceRequest("nuqneH", "espeak-klingon-2"))


async def test_the_gpl_library_is_loaded_in_the_child_and_never_in_the_service() -> None:
    script = (
        "import asyncio, pathlib\n"
        "from voxbus_providers.voice import VoiceRequest\n"
        "from voxbus_tts_worker.providers.espeak import EspeakVoice\n"
        "async def main():\n"
        "    voice = EspeakVoice()\n"
        "    await voice.start()\n"
        "    async for _ in voice.synthesize(VoiceRequest('Hello.', 'espeak')): pass\n"
        "    maps = [pathlib.Path(f'/proc/{pid}/maps').read_text() for pid in ('self', voice.child.pid)]\n"
        "    print([('libespeak' in m) for m in maps])\n"
        "    await voice.close()\n"
        "asyncio.run(main())\n"
    )
    if not Path("/proc/self/maps").exists():
        pytest.skip("only Linux says which libraries a process has loaded")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.strip() == "[False, True]"
