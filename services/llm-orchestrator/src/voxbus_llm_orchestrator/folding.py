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


def with_entry(mapping: Mapping[K, V], key: K, value: V) -> dict[K, V]:
    return {**mapping, key: value}


def changed_reply(state: CallState, number: int, **changes: Any) -> CallState:
    """Nothing changes where there is no such reply."""
    known = state.replies.get(number)
    if known is None:
        return state
    return replace(state, replies=with_entry(state.replies, number, replace(known, **changes)))
