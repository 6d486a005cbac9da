"""The latest sound of a caller."""

import numpy as np

from voxbus_audio import FRAME_BYTES, FRAME_MS
from voxbus_vad.last_seconds import LastSeconds


def frame(level: int) -> bytes:
    return np.full(FRAME_BYTES // 2, level, np.int16).tobytes()


def test_the_last_seconds_are_kept_and_silence_precedes_what_is_shorter() -> None:
    memory = LastSeconds(8_000)
    memory.remember(0, frame(1))
    assert memory.audio() == b"\0" * (399 * FRAME_BYTES) + frame(1)
    for number in range(1, 401):
        memory.remember(number * FRAME_MS, frame(2))
    assert memory.audio() == frame(2) * 400


def test_a_stretch_of_it_is_found_by_the_audio_clock_and_holes_are_silent() -> None:
    memory = LastSeconds(1_000)
    for pts_ms, level in ((100, 1), (120, 2), (160, 4)):
        memory.remember(pts_ms, frame(level))
    sound = memory.between(100, 200)
    assert sound.reshape(5, -1)[:, 0].tolist() == [1, 2, 0, 4, 0]
    assert memory.between(120, 140).tolist() == [2] * 320
    assert not memory.between(0, 60).any()


def test_it_knows_how_far_it_reaches_back() -> None:
    memory = LastSeconds(40)
    assert not memory.reaches_back_to(0)
    for pts_ms in (0, 20, 40):
        memory.remember(pts_ms, frame(1))
    assert memory.reaches_back_to(20)
    assert not memory.reaches_back_to(19)
