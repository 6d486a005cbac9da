"""When a frame of a sentence may leave. Pure; times count from the sentence's first frame."""

from typing import Final

from voxbus_audio import FRAME_MS

STEP_MS: Final = 200
"""Frames that are held back leave in steps of this length, so that many calls do not wake the process all the time."""


def due_ms(index: int, ahead_ms: int) -> int:
    """The first `ahead_ms` of audio at once, from there on never more than that ahead of real time."""
    over_ms = (index + 1) * FRAME_MS - ahead_ms
    return -(-over_ms // STEP_MS) * STEP_MS if over_ms > 0 else 0
