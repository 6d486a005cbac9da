"""What all functions that fold the log into the state have in common."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.state import CallState

K = TypeVar("K")
V = TypeVar("V")

Change = Callable[[CallState, Any, str], CallState]
"""The state after a message with an event id."""

Changes = dict[type[Message], Change]


def changed(state: CallState, **changes: Any) -> CallState:
    """As dataclasses.replace, in a tenth of the time: it happens for everything that is said on a call.

    Raises TypeError for a field that does not exist.
    """
    if not changes.keys() <= state.__dict__.keys():
        raise TypeError(f"no fields of a call's state: {', '.join(changes.keys() - state.__dict__.keys())}")
    after = object.__new__(CallState)
    after.__dict__.update(state.__dict__)
    after.__dict__.update(changes)
    return after


def with_entry(mapping: Mapping[K, V], key: K, value: V) -> dict[K, V]:
    return {**mapping, key: value}


def changed_reply(state: CallState, number: int, **changes: Any) -> CallState:
    """Nothing changes where there is no such reply."""
    known = state.replies.get(number)
    if known is None:
        return state
    return changed(state, replies=with_entry(state.replies, number, replace(known, **changes)))
