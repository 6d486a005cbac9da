"""flite in its child process, where the system has it."""

import ctypes
import os
import signal
from collections.abc import AsyncIterator

import pytest

from voxbus_providers.errors import ProviderMissing, ProviderRejected
from voxbus_providers.voice import Voice, VoiceRequest
from voxbus_testing.conformance import VoiceProcessConformance, spoken
from voxbus_tts_worker.providers.flite import FliteVoice


def is_installed() -> bool:
    try:
        ctypes.CDLL("libflite.so.1")
    except OSError:
        return False
    return True


@pytest.fixture
async def flite() -> AsyncIterator[FliteVoice]:
    if not is_installed():
        pytest.skip("libflite.so.1 is not on this machine (Debian: libflite1)")
    voice = FliteVoice()
    await voice.start()
    yield voice
    await voice.close()


class TestConformance(VoiceProcessConformance):
    voice_id = "flite"

    @pytest.fixture
    async def voice(self, flite: FliteVoice) -> Voice:
        return flite

    @pytest.fixture
    async def other_voice(self, flite: FliteVoice) -> AsyncIterator[Voice]:
        voice = FliteVoice()
        await voice.start()
        yield voice
        await voice.close()

    def kill_engine(self, voice: Voice) -> None:
        assert isinstance(voice, FliteVoice)
        if voice.child.pid is not None:
            os.kill(voice.child.pid, signal.SIGKILL)


async def test_every_voice_speaks_at_16_khz(flite: FliteVoice) -> None:
    lengths_ms: dict[str, float] = {}
    for name in ("slt", "rms", "awb", "kal16", "kal"):
        pcm, _ = await spoken(flite, VoiceRequest("Your order ships on Friday.", f"flite-{name}"))
        lengths_ms[name] = len(pcm) / 32
    assert all(1_200 < length_ms < 3_000 for length_ms in lengths_ms.values()), lengths_ms
    assert lengths_ms["kal"] == pytest.approx(lengths_ms["kal16"], abs=20), "8 kHz was taken for 16 kHz"


async def test_a_voice_that_is_not_installed_is_refused(flite: FliteVoice) -> None:
    with pytest.raises(ProviderRejected, match="nobody"):
        await spoken(flite, VoiceRequest("Hello.", "flite-nobody"))


async def test_a_system_without_flite_says_which_package_to_install() -> None:
    if is_installed():
        pytest.skip("flite is on this machine")
    with pytest.raises(ProviderMissing, match="Debian package libflite1"):
        await FliteVoice().start()
