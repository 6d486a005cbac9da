"""The caller clock with time as a number."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_audio import SILENCE_FRAME, sine
from voxbus_media_ingress.clock import CallerClock, CallerFrame

LOUD = sine(440, 20)
QUIET = SILENCE_FRAME


def loud(number: int) -> bytes:
    """A loud frame that can be told from others."""
    return number.to_bytes(4, "little") + LOUD[4:]


def run_until(clock: CallerClock, until_ms: float, out: list[CallerFrame]) -> None:
    """Polls exactly when the clock asks for it, like a perfect timer."""
    for _ in range(100_000):
        due_ms = clock.next_due(0.0)
        if due_ms > until_ms:
            return
        out += clock.poll(due_ms)
    raise AssertionError("the clock never comes to rest")


def live(clock: CallerClock, from_ms: float, count: int, out: list[CallerFrame], pcm: bytes = LOUD) -> float:
    """`count` frames in real time from `from_ms` on; gives when the next would come."""
    for n in range(count):
        at_ms = from_ms + 20.0 * n
        run_until(clock, at_ms, out)
        clock.push([pcm], at_ms)
        out += clock.poll(at_ms)
    return from_ms + 20.0 * count


def test_a_live_frame_leaves_the_moment_it_arrives() -> None:
    clock = CallerClock(1000.0)
    clock.push([LOUD], 1007.0)
    assert clock.poll(1007.0) == [CallerFrame(0, LOUD, False, 1007.0)]
    clock.push([LOUD], 1027.0)
    assert clock.poll(1027.0) == [CallerFrame(20, LOUD, False, 1027.0)]


def test_a_frame_up_to_20_ms_early_leaves_at_once_and_an_earlier_one_waits() -> None:
    clock = CallerClock(0.0)
    clock.push([loud(0), loud(1), loud(2)], 0.0)
    assert [f.pts_ms for f in clock.poll(0.0)] == [0, 20]
    assert clock.poll(19.9) == []
    assert clock.next_due(19.9) == 20.0
    assert [f.pcm for f in clock.poll(20.0)] == [loud(2)]


def test_a_slot_without_audio_is_filled_40_ms_after_it_was_due() -> None:
    clock = CallerClock(0.0)
    assert clock.next_due(0.0) == 40.0
    assert clock.poll(39.9) == []
    assert clock.poll(40.0) == [CallerFrame(0, SILENCE_FRAME, True, 40.0)]
    assert clock.next_due(40.0) == 60.0


def test_a_caller_that_stops_sending_is_silence_for_ever() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    live(clock, 0.0, 5, out)
    run_until(clock, 10_000.0, out)
    assert [f.pts_ms for f in out] == list(range(0, len(out) * 20, 20))
    assert all(f.filled for f in out[5:])
    assert len(out) == pytest.approx(499, abs=2)


def test_a_whole_file_at_once_is_paced_and_complete() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    run_until(clock, 500.0, out)  # filled frames before: they must not cost the file its quiet parts
    file = [loud(n) if n % 3 else QUIET for n in range(200)]
    clock.push(file, 500.0)
    run_until(clock, 6_000.0, out)
    sent = [f for f in out if not f.filled]
    assert [f.pcm for f in sent] == file
    assert clock.dropped_frames == 0
    assert [f.pts_ms for f in out] == list(range(0, len(out) * 20, 20))


def test_a_file_in_many_small_messages_without_pacing_is_complete_too() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    run_until(clock, 500.0, out)
    for n in range(200):
        clock.push([loud(n) if n % 3 else QUIET], 500.0 + n * 0.1)
    run_until(clock, 6_000.0, out)
    assert len([f for f in out if not f.filled]) == 200


def test_frames_sent_ahead_count_as_arrived_when_they_leave() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    clock.push([LOUD] * 200, 0.0)
    run_until(clock, 3_000.0, out)
    assert clock.arrival_of(2_000) == pytest.approx(1_960.0)


def test_late_frames_after_filled_ones_are_caught_up_by_dropping_quiet_frames() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    at_ms = live(clock, 0.0, 50, out)
    late = 10  # 200 ms of a stalled network, then all of it at once
    stall_ends = at_ms + 20.0 * late
    run_until(clock, stall_ends, out)
    filled = clock.filled_frames
    assert 6 <= filled <= 9
    clock.push([QUIET] * late, stall_ends)
    out += clock.poll(stall_ends)
    assert clock.queued_ms >= 100
    live(clock, stall_ends + 20.0, 100, out, QUIET)
    assert clock.queued_ms <= 20
    assert 0 < clock.dropped_frames <= filled
    assert [f.pts_ms for f in out] == list(range(0, len(out) * 20, 20))


def test_speech_is_never_dropped_to_catch_up() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    at_ms = live(clock, 0.0, 50, out)
    run_until(clock, at_ms + 200.0, out)
    clock.push([LOUD] * 10, at_ms + 200.0)
    live(clock, at_ms + 220.0, 200, out)
    assert clock.dropped_frames == 0


def test_a_client_that_sends_200_ms_at_a_time_loses_nothing() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    run_until(clock, 213.0, out)
    for chunk in range(50):
        at_ms = 213.0 + 200.0 * chunk + (chunk % 3) * 4.0
        run_until(clock, at_ms, out)
        clock.push([QUIET] * 10, at_ms)
    run_until(clock, 11_000.0, out)
    assert clock.dropped_frames == 0
    assert len([f for f in out if not f.filled]) == 500


def test_a_fast_client_waits_for_nothing_and_loses_nothing() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    at_ms, waits = 0.0, list[float]()
    for _ in range(9_000):  # 0.2 % fast: 360 ms too much in three minutes
        run_until(clock, at_ms, out)
        before = len(out)
        clock.push([LOUD], at_ms)
        out += clock.poll(at_ms)
        waits += [at_ms - frame.arrived_ms for frame in out[before:]]
        at_ms += 19.96
    assert clock.queued_ms == 0
    assert clock.dropped_frames == 0
    assert max(waits) == 0


def test_a_grid_laid_by_late_frames_moves_to_where_the_frames_really_come() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    live(clock, 0.0, 3, out)  # the grid as the first frames laid it
    for n in range(3):  # the next came too early by 33 ms and so do all that follow
        run_until(clock, 27.0 + 20.0 * n, out)
        clock.push([LOUD], 27.0 + 20.0 * n)
    live(clock, 87.0, 30, out)
    late = [frame for frame in out[-10:] if frame.filled]
    before = len(out)
    live(clock, 687.0, 10, out)
    assert len(out) - before == 10
    assert [frame.arrived_ms for frame in out[before:]] == [687.0 + 20.0 * n for n in range(10)]
    assert not late
    assert clock.dropped_frames == 0


def test_more_than_120_s_waiting_is_refused_and_counted() -> None:
    clock = CallerClock(0.0)
    assert clock.push([LOUD] * 6_000, 0.0) == 0
    assert clock.push([LOUD] * 10, 0.0) == 8  # two left at once, due and 20 ms early
    assert clock.queued_ms == 120_000


def test_a_resumed_clock_goes_on_from_its_start_pts() -> None:
    clock = CallerClock(100.0)
    clock.start_at(5_140)
    clock.push([LOUD], 100.0)
    assert clock.poll(100.0)[0].pts_ms == 5_140
    assert clock.position_at(100.0) == 5_160.0 == clock.next_pts_ms
    assert clock.position_at(150.0) == 5_210.0
    assert clock.time_of(5_210) == 150.0


def test_the_audio_clock_stands_at_a_pts_when_the_last_sample_before_it_arrives() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    live(clock, 3.0, 10, out)
    for frame in out:
        end_pts_ms = frame.pts_ms + 20
        assert clock.time_of(end_pts_ms) == clock.arrival_of(end_pts_ms) == frame.arrived_ms
        assert clock.position_at(frame.arrived_ms) == end_pts_ms


def test_what_arrives_before_the_clock_is_polled_keeps_its_time() -> None:
    clock = CallerClock(0.0)
    for n in range(10):  # the transport is here, but not yet the call's: nobody polls
        clock.push([loud(n)], 7.0 + 20 * n)
    clock.start_at(1_000)
    out = clock.poll(190.0)
    assert [(f.pts_ms, f.pcm, f.arrived_ms) for f in out] == [
        (1_000 + 20 * n, loud(n), 7.0 + 20 * n) for n in range(10)
    ]
    assert clock.queued_ms == 0
    clock.push([LOUD], 207.0)
    assert [f.pts_ms for f in clock.poll(207.0)] == [1_200]


def test_what_was_held_up_while_the_loop_stood_still_at_the_start_is_no_backlog() -> None:
    clock = CallerClock(0.0)
    for n in range(8):  # 150 ms of audio, read from the socket in one go
        clock.push([loud(n)], 158.0 + n * 0.1)
    assert [f.pcm for f in clock.poll(160.0)] == [loud(n) for n in range(8)]
    out = list[CallerFrame]()
    live(clock, 178.0, 50, out)
    assert not any(f.filled for f in out)
    assert all(f.arrived_ms == pytest.approx(178.0 + 20 * n) for n, f in enumerate(out))
    assert clock.queued_ms == 0


def test_what_was_held_up_while_the_loop_stood_still_later_is_no_backlog_either() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    at_ms = live(clock, 0.0, 50, out)
    for n in range(10):  # nobody polled for 200 ms: the frames are read before the late timer acts
        clock.push([loud(n)], at_ms + 200.0 + n * 0.1)
    assert [f.pcm for f in clock.take()] == [loud(n) for n in range(10)]
    out = []
    live(clock, at_ms + 220.0, 50, out)
    assert clock.queued_ms == 0
    assert clock.filled_frames == 0


def test_a_client_that_begins_late_loses_no_time_and_gets_its_own_rhythm() -> None:
    clock = CallerClock(0.0)
    clock.push([loud(0)], 150.0)  # nobody polled before: the call was being set up
    clock.push([loud(1)], 170.0)
    clock.push([loud(2)], 190.0)
    assert [(f.pts_ms, f.filled) for f in clock.poll(190.0)] == [(0, False), (20, False), (40, False)]
    assert clock.next_due(190.0) == 250.0


def test_one_frame_and_then_nothing_is_filled_from_40_ms_after_the_next_was_due() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    clock.push([LOUD], 150.0)
    run_until(clock, 500.0, out)
    assert [f.filled for f in out] == [False, *[True] * 15]
    assert clock.next_due(500.0) == 510.0


def test_arrivals_are_known_for_30_s_and_by_the_last_sample_before_a_pts() -> None:
    clock, out = CallerClock(0.0), list[CallerFrame]()
    live(clock, 3.0, 2_000, out)
    assert clock.arrival_of(40_000) == pytest.approx(3.0 + 20 * 1_999)
    assert clock.arrival_of(39_981) == pytest.approx(3.0 + 20 * 1_999)
    assert clock.arrival_of(39_980) == pytest.approx(3.0 + 20 * 1_998)
    assert clock.arrival_of(40_001) is None  # not there yet
    assert clock.arrival_of(10_000) is None  # too long ago
    assert clock.arrival_of(0) is None


def test_a_start_off_the_grid_is_an_error() -> None:
    with pytest.raises(ValueError, match="start_pts_ms"):
        CallerClock(0.0).start_at(30)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 150, allow_nan=False), min_size=1, max_size=60),
    sizes=st.lists(st.integers(0, 90), min_size=60, max_size=60),
    quiet=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_whatever_arrives_slots_are_gapless_in_time_and_every_loud_frame_comes_out_once(
    gaps: list[float], sizes: list[int], quiet: list[bool]
) -> None:
    clock, out, at_ms, number = CallerClock(0.0), list[CallerFrame](), 0.0, 0
    for gap, size, is_quiet in zip(gaps, sizes, quiet, strict=False):
        at_ms += gap
        run_until(clock, at_ms, out)
        clock.push([QUIET if is_quiet else loud(number + n) for n in range(size)], at_ms)
        out += clock.poll(at_ms)
        number += size
    end_ms = at_ms + 20.0 * number + 100.0
    run_until(clock, end_ms, out)
    assert [f.pts_ms for f in out] == list(range(0, len(out) * 20, 20))
    assert len(out) * 20 >= end_ms - 80.0
    assert -60.0 <= clock.next_pts_ms - clock.position_at(end_ms) <= 20.0  # a grid may have moved forward
    loud_out = [f.pcm for f in out if not f.filled and f.pcm != QUIET]
    loud_in, number = [], 0
    for _, size, is_quiet in zip(gaps, sizes, quiet, strict=False):
        loud_in += [] if is_quiet else [loud(number + n) for n in range(size)]
        number += size
    assert loud_out == loud_in
    assert clock.dropped_frames <= clock.filled_frames + 1 + end_ms // 5_000
