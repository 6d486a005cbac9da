import math
import timeit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_audio import SILENCE_FRAME, is_quiet, peak, rms_dbfs, silence, sine, tone_power
from voxbus_audio.levels import levels_dbfs

FULL_SQUARE = np.tile(np.array([-32_768, 32_767], dtype="<i2"), 160).tobytes()
LOWEST_SAMPLE = np.full(320, -32_768, dtype="<i2").tobytes()


def test_a_full_scale_square_wave_is_0_dbfs() -> None:
    assert rms_dbfs(FULL_SQUARE) == pytest.approx(0.0, abs=0.001)
    assert rms_dbfs(LOWEST_SAMPLE) == pytest.approx(0.0, abs=0.001)


def test_a_full_scale_sine_is_3_db_below() -> None:
    assert rms_dbfs(sine(1_000, 20, 1.0)) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize("pcm", [SILENCE_FRAME, b""])
def test_silence_reads_minus_120(pcm: bytes) -> None:
    assert rms_dbfs(pcm) == -120.0
    assert peak(pcm) == 0
    assert is_quiet(pcm)


def test_a_single_step_in_a_long_silence_reads_no_lower_than_minus_120() -> None:
    assert rms_dbfs(b"\1\0" + bytes(2_000_000)) == -120.0


def test_the_level_of_a_long_recording_equals_that_of_its_frames() -> None:
    assert rms_dbfs(sine(1_000, 60_000, 0.5)) == pytest.approx(rms_dbfs(sine(1_000, 20, 0.5)), abs=0.001)


def test_peak_is_the_largest_distance_from_zero() -> None:
    assert peak(LOWEST_SAMPLE) == 32_768
    assert peak(np.array([3, -7, 5], dtype="<i2").tobytes()) == 7


@pytest.mark.parametrize(("level_dbfs", "quiet"), [(-46.0, True), (-44.0, False)])
def test_quiet_is_below_minus_45_dbfs(level_dbfs: float, quiet: bool) -> None:
    amplitude = math.sqrt(2) * 10 ** (level_dbfs / 20)
    assert is_quiet(sine(1_000, 20, amplitude)) is quiet


def test_the_quiet_threshold_can_be_moved() -> None:
    assert is_quiet(sine(1_000, 20, 0.3), threshold_dbfs=-10.0)
    assert not is_quiet(sine(1_000, 20, 0.3), threshold_dbfs=-20.0)


def test_half_a_sample_has_no_level() -> None:
    with pytest.raises(ValueError, match=r"^pcm: 5 bytes"):
        rms_dbfs(bytes(5))


def test_judging_one_frame_costs_less_than_10_us() -> None:
    frame = sine(440, 20)
    assert min(timeit.repeat(lambda: is_quiet(frame), number=200, repeat=20)) / 200 < 10e-6


@pytest.mark.parametrize("hz", [120.0, 440.0, 1_234.5, 7_000.0])
def test_tone_power_is_the_amplitude_squared(hz: float) -> None:
    assert tone_power(sine(hz, 200, 0.3), hz) == pytest.approx(0.09, rel=0.01)


def test_a_neighbouring_tone_does_not_leak_into_tone_power() -> None:
    assert tone_power(sine(440, 200), 500) < 1e-4 * 0.09
    assert tone_power(silence(200), 440) == tone_power(b"", 440) == 0.0


def test_tones_have_the_length_they_are_asked_for() -> None:
    assert len(sine(440, 20)) == len(silence(20)) == 640
    assert len(sine(440, 20, 0.3, 44_100)) == len(silence(20, 44_100)) == 2 * 882
    assert peak(sine(1_000, 20, 1.0)) == 32_767


def test_an_amplitude_beyond_full_scale_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^amplitude: 1.5"):
        sine(440, 20, 1.5)


@given(st.lists(st.integers(0, 32_767), min_size=1, max_size=8))
def test_levels_of_many_frames_are_those_of_each(peaks: list[int]) -> None:
    frames = [np.full(320, top, "<i2").tobytes() for top in peaks]
    assert levels_dbfs(frames) == pytest.approx([rms_dbfs(frame) for frame in frames], abs=0.01)
