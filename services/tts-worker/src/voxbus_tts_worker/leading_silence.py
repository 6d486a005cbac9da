"""Silence that an engine puts before its first sound is nothing but delay. Pure."""

from typing import Final

import numpy as np

from voxbus_audio import SAMPLE_RATE_HZ

KEPT_MS: Final = 10
_QUIET: Final = 32
"""-60 dBFS, below the softest consonant of either engine."""
_KEPT_BYTES: Final = 2 * SAMPLE_RATE_HZ * KEPT_MS // 1_000


class LeadingSilence:
    """Cuts what comes before the first sound down to KEPT_MS; mono s16le 16 kHz, chunk by chunk."""

    __slots__ = ("_kept", "_speaks", "cut_bytes")

    def __init__(self) -> None:
        self._kept = b""
        self._speaks = False
        self.cut_bytes = 0
        """Left out so far."""

    @property
    def cut_ms(self) -> float:
        return self.cut_bytes / (2 * SAMPLE_RATE_HZ / 1_000)

    def push(self, pcm: bytes) -> bytes:
        """What is to be heard of the next samples; nothing while there is only silence."""
        if self._speaks:
            return pcm
        pcm = self._kept + pcm
        samples = np.frombuffer(pcm, dtype="<i2")
        loud = np.flatnonzero((samples > _QUIET) | (samples < -_QUIET))
        self._speaks = loud.size > 0
        from_byte = max(0, (2 * int(loud[0]) if self._speaks else len(pcm)) - _KEPT_BYTES)
        self.cut_bytes += from_byte
        if self._speaks:
            self._kept = b""
            return pcm[from_byte:]
        self._kept = pcm[from_byte:]
        return b""
