"""Verdicts that come late hold back what is behind them, and not for long."""

from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_vad.ordering import VerdictOrder


def an_order() -> tuple[VerdictOrder, list[tuple[int, bool]]]:
    delivered: list[tuple[int, bool]] = []
    return VerdictOrder(60, lambda pts_ms, voiced: delivered.append((pts_ms, voiced))), delivered


def test_sure_frames_pass_at_once() -> None:
    order, delivered = an_order()
    order.put_sure(0, True)
    order.put_sure(20, False)
    assert delivered == [(0, True), (20, False)]


def test_frames_behind_a_doubtful_one_wait_for_its_answer() -> None:
    order, delivered = an_order()
    order.put_doubtful(0, False)
    order.put_sure(20, True)
    assert delivered == []
    assert order.answer(0, True) is True
    assert delivered == [(0, True), (20, True)]


def test_answers_out_of_order_are_delivered_in_the_order_of_the_audio() -> None:
    order, delivered = an_order()
    order.put_doubtful(0, False)
    order.put_doubtful(20, False)
    order.answer(20, True)
    assert delivered == []
    order.answer(0, True)
    assert delivered == [(0, True), (20, True)]


def test_after_60_ms_of_newer_audio_the_leaning_decides_and_the_answer_is_too_late() -> None:
    order, delivered = an_order()
    order.put_doubtful(0, True)
    order.put_sure(20, False)
    order.put_sure(40, False)
    assert delivered == []
    order.put_sure(60, False)
    assert delivered == [(0, True), (20, False), (40, False), (60, False)]
    assert order.answer(0, False) is False


def test_no_answer_means_the_leaning() -> None:
    order, delivered = an_order()
    order.put_doubtful(0, True)
    assert order.answer(0, None) is True
    assert delivered == [(0, True)]


def test_leaving_settles_all_that_wait() -> None:
    order, delivered = an_order()
    order.put_doubtful(0, True)
    order.put_doubtful(20, False)
    order.settle_all()
    assert delivered == [(0, True), (20, False)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 30)), max_size=60))
def test_every_frame_is_delivered_once_in_order_and_soon(plan: list[tuple[bool, bool, int]]) -> None:
    """Each frame: sure or not, voiced or not, and after how many further frames its answer comes."""
    order, delivered = an_order()
    due: list[tuple[int, int]] = []
    for n, (sure, voiced, delay) in enumerate(plan):
        if sure:
            order.put_sure(n * 20, voiced)
        else:
            order.put_doubtful(n * 20, voiced)
            due.append((n + delay, n))
        for at, frame in [answer for answer in due if answer[0] == n]:
            due.remove((at, frame))
            order.answer(frame * 20, plan[frame][1])
        assert len(delivered) >= n - 2
    order.settle_all()
    assert delivered == [(n * 20, voiced) for n, (_, voiced, _) in enumerate(plan)]
