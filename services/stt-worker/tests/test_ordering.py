"""Frames in order, each once."""

from hypothesis import given
from hypothesis import strategies as st

from voxbus_providers.recognizer import HeardFrame
from voxbus_stt_worker.ordering import ASK_AFTER_MS, ASKED_PATIENCE_MS, PATIENCE_MS, FrameOrder, Hole


def frame(number: int) -> HeardFrame:
    return HeardFrame(number * 20, bytes(640))


def pts(frames: list[HeardFrame]) -> list[int]:
    return [each.pts_ms // 20 for each in frames]


def pushed(order: FrameOrder, *numbers: int, now_ms: float = 0.0) -> list[int]:
    return [n for number in numbers for n in pts(order.push(frame(number), now_ms))]


def test_frames_pass_at_once_while_they_come_in_order() -> None:
    assert pushed(FrameOrder(), 5, 6, 7) == [5, 6, 7]


def test_doubles_and_frames_from_before_the_start_are_dropped() -> None:
    assert pushed(FrameOrder(from_pts_ms=100), 4, 5, 5, 6, 5, 4) == [5, 6]


def test_swapped_frames_are_put_right() -> None:
    assert pushed(FrameOrder(), 1, 3, 2, 5, 6, 4, 7) == [1, 2, 3, 4, 5, 6, 7]


def test_a_hole_is_asked_of_the_stream_once_and_then_given_up() -> None:
    order = FrameOrder()
    assert pushed(order, 1, 4, 5, 8, now_ms=1_000) == [1]
    assert order.wake_at_ms == 1_000 + ASK_AFTER_MS
    assert order.tick(1_000 + ASK_AFTER_MS) == ([], Hole(40, 80))
    order.answered()
    assert order.tick(1_000 + ASK_AFTER_MS + 1) == ([], None)
    assert order.wake_at_ms == 1_000 + PATIENCE_MS
    assert pts(order.tick(1_000 + PATIENCE_MS)[0]) == [4, 5]
    assert order.wake_at_ms == 1_000 + PATIENCE_MS + ASK_AFTER_MS, "the next hole has its own patience"
    assert pushed(order, 2, 3, now_ms=1_300) == [], "too late"


def test_a_hole_waits_longer_while_the_stream_has_not_answered() -> None:
    order = FrameOrder()
    pushed(order, 1, 3)
    order.tick(ASK_AFTER_MS)
    assert order.tick(PATIENCE_MS) == ([], None)
    assert order.wake_at_ms == ASKED_PATIENCE_MS
    assert pts(order.push(frame(2), 500)) == [2, 3]
    assert order.wake_at_ms is None


def test_audio_somebody_else_heard_is_waited_for_though_nothing_comes_behind_it() -> None:
    order = FrameOrder()
    pushed(order, 1, 2)
    order.expect(20, 100, now_ms=0)
    assert order.tick(ASK_AFTER_MS)[1] == Hole(60, 100)
    order.answered()
    assert pushed(order, 3, 4, now_ms=150) == [3, 4]
    assert order.wake_at_ms is None


def test_expected_audio_that_never_comes_is_given_up() -> None:
    order = FrameOrder()
    order.expect(100, 200, now_ms=0)
    order.tick(ASK_AFTER_MS)
    order.answered()
    assert order.tick(PATIENCE_MS) == ([], None)
    assert order.next_pts_ms == 200


@given(st.lists(st.integers(0, 30), max_size=120), st.lists(st.booleans(), max_size=120))
def test_no_order_and_no_doubles_make_a_frame_pass_twice_or_backwards(numbers: list[int], ticks: list[bool]) -> None:
    order = FrameOrder()
    now_ms = 0.0
    passed: list[int] = []
    for at, number in enumerate(numbers):
        now_ms += 20
        passed += pts(order.push(frame(number), now_ms))
        if at < len(ticks) and ticks[at]:
            passed += pts(order.tick(now_ms)[0])
    assert passed == sorted(set(passed))


@given(st.permutations(range(9)), st.lists(st.integers(0, 8), max_size=9))
def test_frames_that_all_come_in_time_all_pass(numbers: list[int], doubles: list[int]) -> None:
    order = FrameOrder(from_pts_ms=0)
    assert pushed(order, *numbers[:4], *doubles, *numbers[4:]) == list(range(9))


def test_after_a_loss_of_the_bus_no_hole_is_given_up_before_its_frames_were_said_again() -> None:
    order = FrameOrder()
    pushed(order, 1, 2, now_ms=0)
    order.patient_until_ms = 1_600.0
    assert pushed(order, 50, now_ms=10) == []
    order.tick(10 + ASK_AFTER_MS)
    order.answered()
    assert order.wake_at_ms == 1_600
    assert order.tick(10 + PATIENCE_MS) == ([], None)
    assert pushed(order, *range(3, 50), now_ms=1_300) == [*range(3, 51)]
    pushed(order, 60, now_ms=1_590)
    order.tick(1_590 + ASK_AFTER_MS)
    order.answered()
    assert pts(order.tick(1_590 + PATIENCE_MS)[0]) == [60], "from here on as ever"
