"""The tone of a call that waits, in the telephone network's frequencies and rhythm."""

from itertools import pairwise

import numpy as np
import pytest

from voxbus_audio import FRAME_BYTES, SILENCE_FRAME, tone_power
from voxbus_audio.format import samples_of
from voxbus_media_ingress.ring_back import CADENCES, ring_frame


def heard(tone: str, ms: int) -> list[bytes]:
    return [ring_frame(tone, at_ms) for at_ms in range(0, ms, 20)]


@pytest.mark.parametrize(("tone", "tones_hz", "on_ms"), [("425", (425,), 1_000), ("440+480", (440, 480), 2_000)])
def test_it_rings_and_pauses_in_turn_with_its_own_tones(tone: str, tones_hz: tuple[int, ...], on_ms: int) -> None:
    frames = heard(tone, 2 * (on_ms + 4_000))
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    loud = [frame != SILENCE_FRAME for frame in frames]
    one_ring = [True] * (on_ms // 20) + [False] * 200
    assert loud == one_ring * 2
    ring = b"".join(frames[: on_ms // 20])
    for hz in tones_hz:
        assert tone_power(ring, hz) == pytest.approx((0.1 / len(tones_hz)) ** 2, rel=0.05)
    assert tone_power(ring, 600) < 1e-6


@pytest.mark.parametrize("tone", CADENCES)
def test_it_neither_clicks_nor_clips(tone: str) -> None:
    samples = samples_of(b"".join(heard(tone, 8_000))).astype(np.int32)
    assert np.abs(samples).max() <= 0.1 * 32_767 + 1
    steps = [abs(int(b) - int(a)) for a, b in pairwise(samples)]
    steepest = 0.1 * 32_767 * 2 * np.pi * 480 / 16_000
    assert max(steps) <= steepest + 2, "no jump where it begins or ends"
