"""When a frame of a sentence may leave. Pure; times count from the sentence's first frame."""

from typing import Final

from voxbus_audio import FRAME_MS

STEP_MS: Final = 200
"""Frames that are held back leave in steps of this length, so that many calls do not wake the process all the time."""


FIRST_MS: Final = 300
SPEED: Final = 8
RAMP_STEP_MS: Final = 40
"""The start of a sentence leaves at once, the rest at eight times real time: a sentence in one burst would hold up
every other call's frames at media-ingress for 10 ms and more (20 calls, November 2026)."""


def due_ms(index: int, ahead_ms: int) -> int:
    """When frame `index` may leave: at once, then ever further ahead of real time, but never more than `ahead_ms`."""
    ramp_ms = _in_steps((index + 1) * FRAME_MS - FIRST_MS, RAMP_STEP_MS * SPEED) // SPEED
    held_ms = _in_steps((index + 1) * FRAME_MS - ahead_ms, STEP_MS)
    return max(ramp_ms, held_ms)


def _in_steps(over_ms: int, step_ms: int) -> int:
    return -(-over_ms // step_ms) * step_ms if over_ms > 0 else 0
