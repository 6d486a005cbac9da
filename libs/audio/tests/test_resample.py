import timeit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_audio import StreamResampler, resample_whole, sine, tone_power

WIRE_RATES_HZ = [8_000, 11_025, 22_050, 24_000, 44_100, 48_000]
BOTH_WAYS = [(rate_hz, 16_000) for rate_hz in WIRE_RATES_HZ] + [(16_000, rate_hz) for rate_hz in WIRE_RATES_HZ]


def converted(pcm: bytes, from_hz: int, to_hz: int, chunk_samples: int) -> bytes:
    resampler = StreamResampler(from_hz, to_hz)
    step = 2 * chunk_samples
    parts = [resampler.push(pcm[at : at + step]) for at in range(0, len(pcm), step)]
    return b"".join([*parts, resampler.flush()])


@pytest.mark.parametrize(("from_hz", "to_hz"), BOTH_WAYS)
def test_a_tone_keeps_its_frequency_and_level(from_hz: int, to_hz: int) -> None:
    out = converted(sine(1_000, 1_000, 0.3, from_hz), from_hz, to_hz, from_hz // 50)
    assert tone_power(out, 1_000, to_hz) == pytest.approx(0.09, rel=0.01)
    assert tone_power(out, 1_000 * to_hz / from_hz, to_hz) < 1e-6


@pytest.mark.parametrize(("from_hz", "to_hz"), BOTH_WAYS)
def test_a_whole_recording_keeps_frequency_level_and_length(from_hz: int, to_hz: int) -> None:
    out = resample_whole(sine(1_000, 1_000, 0.3, from_hz), from_hz, to_hz)
    assert tone_power(out, 1_000, to_hz) == pytest.approx(0.09, rel=0.01)
    assert abs(len(out) // 2 - to_hz) <= 1


@pytest.mark.parametrize("hz", [5_000, 6_000, 7_000])
def test_tones_above_the_new_half_rate_do_not_alias(hz: int) -> None:
    out = converted(sine(hz, 1_000, 0.5), 16_000, 8_000, 320)
    middle = out[1_600:-1_600]  # a tone that starts and stops abruptly is broadband there
    assert tone_power(middle, 8_000 - hz, 8_000) < 0.25 * 1e-6


@pytest.mark.parametrize(("from_hz", "to_hz"), BOTH_WAYS)
def test_the_length_does_not_drift_over_ten_minutes(from_hz: int, to_hz: int) -> None:
    resampler = StreamResampler(from_hz, to_hz)
    ten_seconds = bytes(20 * from_hz)
    out_samples = 0
    for count in range(1, 61):
        out_samples += len(resampler.push(ten_seconds)) // 2
        assert abs(10 * to_hz * count - out_samples) <= to_hz * 0.002
    assert abs(600 * to_hz - out_samples - len(resampler.flush()) // 2) <= 1


@settings(max_examples=60, deadline=None)
@given(
    wire_hz=st.sampled_from([3_000, *WIRE_RATES_HZ, 31_337, 192_000]),
    outward=st.booleans(),
    chunks_samples=st.lists(st.integers(1, 60) | st.integers(1, 3_000), min_size=1, max_size=12),
)
def test_length_is_ideal_and_chunking_changes_nothing(wire_hz: int, outward: bool, chunks_samples: list[int]) -> None:
    source_hz, target_hz = (16_000, wire_hz) if outward else (wire_hz, 16_000)
    total = sum(chunks_samples)
    pcm = (np.random.default_rng(total).standard_normal(total) * 4_000).astype("<i2").tobytes()
    resampler = StreamResampler(source_hz, target_hz)
    out, taken = b"", 0
    for count in chunks_samples:
        out += resampler.push(pcm[2 * taken : 2 * (taken + count)])
        taken += count
        held_back = taken * target_hz / source_hz - len(out) / 2
        may_start = taken * min(source_hz, target_hz) / source_hz > 34
        assert held_back <= resampler.lag_samples * (1 if may_start else 2.2) + 1
    out += resampler.flush()
    assert abs(len(out) / 2 - total * target_hz / source_hz) <= 1
    assert out == converted(pcm, source_hz, target_hz, total)


@pytest.mark.parametrize(("from_hz", "to_hz"), BOTH_WAYS)
def test_the_live_lag_is_at_most_two_ms(from_hz: int, to_hz: int) -> None:
    assert 0 < StreamResampler(from_hz, to_hz).lag_samples <= 0.002 * to_hz + 1


def test_a_stream_shorter_than_the_filter_is_not_lost() -> None:
    resampler = StreamResampler(8_000, 16_000)
    assert resampler.push(b"\xe8\x03" * 10) == b""
    tail = np.frombuffer(resampler.flush(), dtype="<i2")
    assert tail.size == 20
    assert 800 < tail[2:-2].mean() < 1_200


def test_equal_rates_pass_the_same_object_through() -> None:
    resampler = StreamResampler(16_000, 16_000)
    frame = sine(440, 20)
    assert resampler.push(frame) is frame
    assert resampler.flush() == b""
    assert resampler.lag_samples == 0
    assert resample_whole(frame, 16_000, 16_000) is frame


def test_after_a_flush_a_new_stream_starts() -> None:
    resampler = StreamResampler(8_000, 16_000)
    pcm = sine(440, 100, 0.3, 8_000)
    first = resampler.push(pcm) + resampler.flush()
    assert resampler.flush() == b""
    assert resampler.push(pcm) + resampler.flush() == first


def test_half_a_sample_is_refused_and_the_stream_goes_on() -> None:
    resampler = StreamResampler(8_000, 16_000)
    with pytest.raises(ValueError, match=r"^pcm: 161 bytes"):
        resampler.push(bytes(161))
    assert resampler.push(b"") == b""
    assert len(resampler.push(bytes(320)) + resampler.flush()) == 640


@pytest.mark.parametrize(("from_hz", "to_hz", "field"), [(0, 16_000, "from_hz"), (16_000, -1, "to_hz")])
def test_a_rate_of_zero_or_less_is_refused_by_name(from_hz: int, to_hz: int, field: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: "):
        StreamResampler(from_hz, to_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
def test_one_live_frame_costs_less_than_100_us(rate_hz: int) -> None:
    resampler = StreamResampler(rate_hz, 16_000)
    frame = sine(440, 20, 0.3, rate_hz)
    best_s = min(timeit.repeat(lambda: resampler.push(frame), number=50, repeat=20)) / 50
    assert best_s < 100e-6
