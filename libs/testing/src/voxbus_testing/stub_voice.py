"""The stub voice: a tone whose length and delay are known exactly, for load tests and latency sums.

Chosen by `voice: {provider: "vapi", voiceId: "stub"}`; `stub-200` lets 200 ms pass before the first audio
and then streams as a hosted voice does, in chunks of 100 ms, eight times faster than they sound.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from functools import cache
from typing import ClassVar, Final

import numpy as np

from voxbus_providers.errors import ProviderRejected
from voxbus_providers.voice import Voice, VoiceCapabilities, VoiceChunk, VoiceRequest, WordTime

MS_PER_CHARACTER: Final = 30
TONE_HZ: Final = 400
CHUNK_MS: Final = 100
TIMES_REAL_TIME: Final = 8
LONG_TONE_MS: Final = 8_000
"""Made once; sentences are shorter."""
_SAMPLES_PER_MS: Final = 16
_AMPLITUDE: Final = 20_000
_CHUNK_BYTES: Final = CHUNK_MS * _SAMPLES_PER_MS * 2


def stub_duration_ms(text: str, speed: float = 1.0) -> int:
    """How long the stub speaks."""
    return round(len(text) * MS_PER_CHARACTER / speed)


def stub_tone(ms: int) -> bytes:
    """Loud 400 Hz, phase 0 at the start: mono s16le 16 kHz."""
    return _tone(ms) if ms > LONG_TONE_MS else _long_tone()[: 2 * ms * _SAMPLES_PER_MS]


@cache
def _long_tone() -> bytes:
    return _tone(LONG_TONE_MS)


def _tone(ms: int) -> bytes:
    at = np.arange(ms * _SAMPLES_PER_MS)
    wave = _AMPLITUDE * np.sin(2 * np.pi * TONE_HZ / (1_000 * _SAMPLES_PER_MS) * at)
    return np.rint(wave).astype("<i2").tobytes()


class StubVoice(Voice):
    """30 ms of tone per character; `voice_id` is the delay of the first audio in ms, empty = all at once."""

    name: ClassVar[str] = "stub"
    capabilities: ClassVar[VoiceCapabilities] = VoiceCapabilities(word_times=True)

    async def synthesize(self, request: VoiceRequest) -> AsyncIterator[VoiceChunk]:
        if request.voice_id and not request.voice_id.isdecimal():
            raise ProviderRejected(self.name, "the voice is `stub` or `stub-<ms before the first audio>`")
        began_s = asyncio.get_running_loop().time()
        words = tuple(
            WordTime(
                match.group(),
                stub_duration_ms(request.text[: match.start()], request.speed),
                stub_duration_ms(request.text[: match.end()], request.speed),
            )
            for match in re.finditer(r"\S+", request.text)
        )
        pcm = stub_tone(stub_duration_ms(request.text, request.speed))
        if not request.voice_id:
            yield VoiceChunk(pcm, words)
            return
        async for at in _paced(len(pcm), began_s + int(request.voice_id) / 1_000):
            yield VoiceChunk(pcm[at : at + _CHUNK_BYTES], words if at == 0 else ())

    async def close(self) -> None:
        """Nothing is kept."""


async def _paced(size_bytes: int, first_s: float) -> AsyncIterator[int]:
    """Where each chunk begins, when its time has come; `first_s` on the loop's clock."""
    for number, at in enumerate(range(0, size_bytes, _CHUNK_BYTES)):
        due_s = first_s + number * CHUNK_MS / TIMES_REAL_TIME / 1_000
        await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
        yield at
