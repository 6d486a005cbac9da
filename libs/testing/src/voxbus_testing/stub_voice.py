"""The stub voice: a tone whose length and delay are known exactly, for load tests and latency sums.

Chosen by `voice: {provider: "vapi", voiceId: "stub"}`; `stub-200` lets 200 ms pass before the first audio.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import ClassVar, Final

import numpy as np

from voxbus_providers.errors import ProviderRejected
from voxbus_providers.voice import Voice, VoiceCapabilities, VoiceChunk, VoiceRequest, WordTime

MS_PER_CHARACTER: Final = 30
TONE_HZ: Final = 400
_SAMPLES_PER_MS: Final = 16
_AMPLITUDE: Final = 20_000


def stub_duration_ms(text: str, speed: float = 1.0) -> int:
    """How long the stub speaks."""
    return round(len(text) * MS_PER_CHARACTER / speed)


def stub_tone(ms: int) -> bytes:
    """Loud 400 Hz, phase 0 at the start: mono s16le 16 kHz."""
    at = np.arange(ms * _SAMPLES_PER_MS)
    wave = _AMPLITUDE * np.sin(2 * np.pi * TONE_HZ / (1_000 * _SAMPLES_PER_MS) * at)
    return np.rint(wave).astype("<i2").tobytes()


class StubVoice(Voice):
    """30 ms of tone per character; `voice_id` is the delay of the first audio in ms, empty = none."""

    name: ClassVar[str] = "stub"
    capabilities: ClassVar[VoiceCapabilities] = VoiceCapabilities(word_times=True)

    async def synthesize(self, request: VoiceRequest) -> AsyncIterator[VoiceChunk]:
        if request.voice_id and not request.voice_id.isdecimal():
            raise ProviderRejected(self.name, "the voice is `stub` or `stub-<ms before the first audio>`")
        await asyncio.sleep(int(request.voice_id or 0) / 1_000)
        words = tuple(
            WordTime(
                match.group(),
                stub_duration_ms(request.text[: match.start()], request.speed),
                stub_duration_ms(request.text[: match.end()], request.speed),
            )
            for match in re.finditer(r"\S+", request.text)
        )
        yield VoiceChunk(stub_tone(stub_duration_ms(request.text, request.speed)), words)

    async def close(self) -> None:
        """Nothing is kept."""
