"""Who may have one more call."""

from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.config import Claim, Owner
from voxbus_runtime.liveness import Vital
from voxbus_runtime.ownership import Held
from voxbus_runtime.room import JUDGED_FROM_SAMPLES, Room, count_orphans, is_overloaded

_CALM = [1.0] * 100


def test_a_worker_with_all_slots_used_takes_nothing() -> None:
    room = Room(slots=2, calls=2)
    assert room.is_full
    assert room.refuses_new == "slots"


def test_the_last_slot_goes_to_a_new_call_when_nobody_else_needs_it() -> None:
    assert Room(slots=2, calls=1).refuses_new is None


def test_the_last_slot_is_kept_for_a_call_whose_owner_is_gone() -> None:
    assert Room(slots=2, calls=1, orphans=1).refuses_new == "orphans"
    assert not Room(slots=2, calls=1, orphans=1).is_full


def test_a_late_worker_takes_no_new_call_but_still_one_that_is_under_way() -> None:
    room = Room(slots=2, calls=0, is_overloaded=True)
    assert room.refuses_new == "lag"
    assert not room.is_full


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_new_calls_never_take_what_calls_under_way_need(slots: int, calls: int, orphans: int, late: bool) -> None:
    room = Room(slots, calls, orphans, late)
    if room.refuses_new is None:
        assert calls + 1 + orphans <= slots
        assert not late


def test_calls_given_back_or_of_suspect_or_unknown_owners_are_orphans() -> None:
    vitals = {"alive": Vital.ALIVE, "dead": Vital.SUSPECT, "never-heard": Vital.UNKNOWN}
    entries = [(name, Held(Owner(worker=name), 3)) for name in (*vitals, "")]
    assert count_orphans(entries, lambda worker: vitals[worker]) == 3


def test_a_loop_is_late_when_one_timer_in_twenty_is() -> None:
    assert not is_overloaded(_CALM, limit_ms=250)
    assert not is_overloaded([*_CALM[:96], *[900.0] * 4], limit_ms=250)
    assert is_overloaded([*_CALM[:94], *[900.0] * 6], limit_ms=250)


def test_a_start_that_stops_the_loop_is_no_overload() -> None:
    assert not is_overloaded([0.0, 4_000.0, 1_500.0], limit_ms=250)
    assert is_overloaded([900.0] * JUDGED_FROM_SAMPLES, limit_ms=250)


def test_only_a_claim_of_a_call_nobody_ever_owned_is_new() -> None:
    assert Claim(stage="vad", org="o", call="c").is_new
    assert not Claim(stage="vad", org="o", call="c", revision=7, reason="owner-lost").is_new
