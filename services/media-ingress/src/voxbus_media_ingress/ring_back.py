"""What a caller hears while the call waits to be answered: the telephone network's ring-back tone.

It is the line's, not the call's: it is on neither audio subject, and no recording has it. Source: ITU-T E.180
supplement 2 (425 Hz, 1 s on, 4 s off, most of Europe; 440 + 480 Hz, 2 s on, 4 s off, North America).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np

from voxbus_audio import FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ, SILENCE_FRAME, WireEncoder, WireFormat
from voxbus_audio.format import S16LE
from voxbus_media_ingress.alarm import Alarm, now_ms

RingTone = Literal["none", "425", "440+480"]

_AMPLITUDE: Final = 0.1
"""Of full scale, all tones together: 20 dB below it, softer than speech."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """Tones that sound together, and for how long."""

    tones_hz: tuple[int, ...]
    on_ms: int
    off_ms: int


CADENCES: Final[dict[str, Cadence]] = {
    "425": Cadence((425,), 1_000, 4_000),
    "440+480": Cadence((440, 480), 2_000, 4_000),
}


@cache
def sounding_frames(tone: str) -> tuple[bytes, ...]:
    """The audible part of one ring, 20 ms of 16 kHz mono s16le each; starts and ends at a zero of every tone."""
    cadence = CADENCES[tone]
    at = np.arange(SAMPLE_RATE_HZ * cadence.on_ms // 1_000) / SAMPLE_RATE_HZ
    wave = sum(np.sin(2 * np.pi * hz * at) for hz in cadence.tones_hz) / len(cadence.tones_hz)
    pcm = np.rint(wave * _AMPLITUDE * 32_767).astype(S16LE).tobytes()
    return tuple(pcm[start : start + FRAME_BYTES] for start in range(0, len(pcm), FRAME_BYTES))


def ring_frame(tone: str, ringing_ms: int) -> bytes:
    """The frame that is due after so long: rings begin with their tone."""
    cadence = CADENCES[tone]
    index = ringing_ms % (cadence.on_ms + cadence.off_ms) // FRAME_MS
    frames = sounding_frames(tone)
    return frames[index] if index < len(frames) else SILENCE_FRAME


class RingBack:
    """Sends the tone in real time to `send` (wire bytes of `fmt`), from `start` to `stop`."""

    def __init__(self, tone: RingTone, fmt: WireFormat, send: Callable[[bytes], None]) -> None:
        self._tone = tone
        self._fmt = fmt
        self._send = send
        self._encoder: WireEncoder | None = None
        self._since_ms = 0.0
        self._next = 0
        self._alarm = Alarm(self._ring)

    def start(self) -> None:
        """Without a tone, and when it rings already, nothing happens."""
        if self._tone == "none" or self._encoder is not None:
            return
        self._encoder = WireEncoder(self._fmt)
        self._since_ms = now_ms()
        self._ring(self._since_ms)

    def stop(self) -> None:
        self._alarm.stop()
        self._encoder = None

    def _ring(self, at_ms: float) -> None:
        if self._encoder is None:
            return
        due = int(at_ms - self._since_ms) // FRAME_MS
        # A loop that stood still leaves the missed frames out: nobody waits for a tone.
        self._next = max(self._next, due)
        self._send(self._encoder.push(ring_frame(self._tone, self._next * FRAME_MS)))
        self._next += 1
        self._alarm.set(self._since_ms + self._next * FRAME_MS)
