"""Keys the caller presses: when an entry ends, and that it is a turn like any other."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_call import VirtualCall

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.keypad import KeypadPlan, next_entry
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import Key

HASH = frozenset("#")
LONG = "This is a rather long answer that goes on and on for quite a while."


def call(keypad: KeypadPlan | None, first_message: str = "", interruptible: bool = True) -> VirtualCall:
    virtual = VirtualCall(Plan(keypad=keypad, first_message=first_message, first_message_interruptible=interruptible))
    virtual.attach()
    return virtual


def press(virtual: VirtualCall, *keys: tuple[str, int]) -> VirtualCall:
    for digits, pts_ms in keys:
        virtual.happens(pts_ms, "media-ingress", e.DtmfReceived(digits=digits, pts_ms=pts_ms))
    return virtual


def turns(virtual: VirtualCall) -> list[tuple[str, int]]:
    return [(turn.text, turn.pts_ms) for turn in virtual.state.turns.values()]


def test_an_entry_ends_with_its_delimiter_and_is_answered() -> None:
    virtual = press(call(KeypadPlan(2_000, HASH)), ("1", 1_000), ("2", 1_400), ("3#", 1_900)).run(6_000)
    assert turns(virtual) == [("User's Keypad Entry: 123", 1_900)]
    assert [reply.source for reply in virtual.state.replies.values()] == ["model"]


def test_without_a_delimiter_an_entry_ends_when_no_key_follows_for_the_time_given() -> None:
    virtual = press(call(KeypadPlan(1_500)), ("4", 1_000), ("2", 2_400), ("7", 8_000)).run(15_000)
    assert turns(virtual) == [("User's Keypad Entry: 42", 3_900), ("User's Keypad Entry: 7", 9_500)]


def test_with_no_timeout_only_the_delimiter_ends_an_entry() -> None:
    virtual = press(call(KeypadPlan(0, HASH)), ("4", 1_000), ("2", 9_000))
    assert not turns(virtual.run(20_000))
    assert turns(press(virtual, ("#", 21_000)).run(25_000)) == [("User's Keypad Entry: 42", 21_000)]


def test_a_delimiter_alone_is_an_entry_of_itself() -> None:
    assert turns(press(call(KeypadPlan(2_000, HASH)), ("#", 1_000)).run(5_000)) == [("User's Keypad Entry: #", 1_000)]


def test_two_entries_in_one_burst_are_two_turns_in_their_order() -> None:
    virtual = press(call(KeypadPlan(2_000, HASH)), ("1#2#", 1_000)).run(20_000)
    assert [text for text, _ in turns(virtual)] == ["User's Keypad Entry: 1", "User's Keypad Entry: 2"]


@pytest.mark.parametrize(("interruptible", "cleared"), [(True, 1), (False, 0)])
def test_an_entry_breaks_off_the_assistant_unless_that_may_not_be_interrupted(
    interruptible: bool, cleared: int
) -> None:
    virtual = press(call(KeypadPlan(2_000, HASH), LONG, interruptible), ("5#", 1_500)).run(15_000)
    assert len(virtual.said(c.ClearPlayback)) == cleared
    assert [text for text, _ in turns(virtual)] == ["User's Keypad Entry: 5"]


def test_keys_mean_nothing_to_an_assistant_without_keypad_input() -> None:
    assert not turns(press(call(None), ("5#", 1_500)).run(15_000))


keys = st.lists(st.tuples(st.sampled_from("0123456789*#"), st.integers(0, 4_000)), max_size=30)
plans = st.builds(KeypadPlan, st.sampled_from([0, 500, 2_000]), st.sampled_from([frozenset(), HASH, frozenset("#*")]))


@given(plans, keys)
def test_every_key_belongs_to_one_entry_in_order(plan: KeypadPlan, pressed: list[tuple[str, int]]) -> None:
    at_ms, all_keys = 0, []
    for digit, gap_ms in pressed:
        at_ms += gap_ms
        all_keys.append(Key(digit, at_ms))
    taken, text = 0, ""
    while (entry := next_entry(plan, all_keys[taken:])) is not None:
        assert entry.keys >= 1
        own = all_keys[taken : taken + entry.keys]
        text += "".join(key.digit for key in own)
        if plan.timeout_ms:
            assert all(b.pts_ms - a.pts_ms < plan.timeout_ms for a, b in pairwise(own))
        taken += entry.keys
    assert (taken, text) == (len(all_keys), "".join(key.digit for key in all_keys))
