"""The latest sound of one caller, as the turn model and the judgement by prosody need it."""

from collections import deque
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from voxbus_audio import FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ


class LastSeconds:
    """The last `length_ms` of one caller, frame by frame."""

    __slots__ = ("_frames", "_length")

    def __init__(self, length_ms: int) -> None:
        self._length = length_ms // FRAME_MS
        self._frames: deque[tuple[int, bytes]] = deque(maxlen=self._length)

    def remember(self, pts_ms: int, pcm: bytes) -> None:
        """The next frame, 640 bytes, and where it starts."""
        self._frames.append((pts_ms, pcm))

    def audio(self) -> bytes:
        """s16le 16 kHz, all of it; silence in front where less was heard."""
        return b"".join(pcm for _, pcm in self._frames).rjust(self._length * FRAME_BYTES, b"\0")

    def between(self, start_ms: int, stop_ms: int) -> NDArray[np.int16]:
        """What was heard from one place of the audio clock to another, whole frames; silence where nothing was."""
        sound = np.zeros((stop_ms - start_ms) * SAMPLE_RATE_HZ // 1_000, np.int16)
        for pts_ms, pcm in self._frames:
            at = (pts_ms - start_ms) * SAMPLE_RATE_HZ // 1_000
            if 0 <= at <= len(sound) - FRAME_SAMPLES:
                sound[at : at + FRAME_SAMPLES] = np.frombuffer(pcm, np.int16)
        return sound

    def reaches_back_to(self, pts_ms: int) -> bool:
        """Whether it was heard from there on."""
        return any(at <= pts_ms for at, _ in islice(self._frames, 1))
