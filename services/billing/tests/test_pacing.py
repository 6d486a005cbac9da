from voxbus_billing.pacing import Pacing
from voxbus_contracts import CallRef

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
OTHER = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")


def test_a_call_is_told_at_once_then_once_a_second_and_others_do_not_wait_for_it() -> None:
    pacing = Pacing(1_000)
    assert pacing.may_tell(REF, 0)
    assert not pacing.may_tell(REF, 250)
    assert not pacing.may_tell(REF, 999)
    assert pacing.may_tell(OTHER, 300)
    assert pacing.next_due_ms == 1_000
    assert pacing.take_due(999) == []
    assert pacing.take_due(1_000) == [REF]
    assert pacing.next_due_ms is None
    assert not pacing.may_tell(REF, 1_500), "what was owed has just been told"
    assert pacing.may_tell(REF, 2_000)
    assert pacing.next_due_ms is None, "telling it pays what is owed"


def test_the_end_is_told_at_once_and_nothing_is_owed_after_it() -> None:
    pacing = Pacing(1_000)
    assert pacing.may_tell(REF, 0)
    assert not pacing.may_tell(REF, 10)
    assert pacing.may_tell(REF, 20, at_once=True)
    assert pacing.next_due_ms is None
