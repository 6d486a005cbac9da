"""Handoffs, transfers and what is asked about them, added to the state."""

from dataclasses import replace
from typing import Any
from typing import Final as Constant

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.folding import Changes, changed, with_entry
from voxbus_llm_orchestrator.state import CallState, Found, Handoff, Item, MoveOrder

HANDED_OFF: Constant = "Handed off."
TRANSFERRED: Constant = "Transferred."


def _transfer_ordered(state: CallState, command: c.TransferCall, event_id: str) -> CallState:
    return _ordered(state, event_id, MoveOrder("transfer", command.destination, command.content))


def _handoff_ordered(state: CallState, command: c.HandOffCall, event_id: str) -> CallState:
    return _ordered(state, event_id, MoveOrder("handoff", command.destination, command.content))


def _ordered(state: CallState, event_id: str, order: MoveOrder) -> CallState:
    return changed(state, move_orders=with_entry(state.move_orders, event_id, order))


def _find(state: CallState, command: c.FindDestination, _id: str) -> CallState:
    """A tool whose destination is looked for counts as running."""
    state = changed(state, searched=with_entry(state.searched, command.cause, command.pts_ms))
    return _changed_tool(state, command.cause, ordered=True)


def _resolved(state: CallState, event: e.DestinationResolved, _id: str) -> CallState:
    if event.cause in state.found:
        return state
    found = Found(event.destination, event.result, event.message, event.error)
    return changed(state, found=with_entry(state.found, event.cause, found))


def _completed(state: CallState, event: e.HandoffCompleted, _id: str) -> CallState:
    handoff = Handoff(
        event.member,
        state.active,
        event.cause,
        event.context,
        event.max_messages,
        max(state.replies, default=0) + 1,
    )
    state = _moved(state, event.cause, event.result or HANDED_OFF)
    return changed(
        state,
        active=event.member,
        stand_in=0,
        handoffs=(*state.handoffs, handoff),
        items=(*state.items, Item("handoff", len(state.handoffs))),
        variables={**state.variables, **event.variables} if event.variables else state.variables,
    )


def _refused(state: CallState, event: e.HandoffRefused, _id: str) -> CallState:
    state = changed(state, moved=state.moved | {event.cause})
    return _changed_tool(state, event.cause, finished=True, failed=True, result=event.reason)


def _transferred(state: CallState, event: e.CallTransferred, _id: str) -> CallState:
    return replace(_moved(state, event.cause, TRANSFERRED), transferred=True)


def _control_requested(state: CallState, event: e.CallControlRequested, _id: str) -> CallState:
    if event.request == "hang-up":
        return changed(state, hang_up_requested=True)
    return _moved(state, event.cause, TRANSFERRED)


def _moved(state: CallState, cause: str, result: str) -> CallState:
    """It is done: the model that asked for it is not asked to go on."""
    tool = state.tools.get(cause)
    done = {f"tool-done:{tool.reply}"} if tool else set[str]()
    state = changed(state, moved=state.moved | {cause}, carried_out=state.carried_out | done)
    return _changed_tool(state, cause, finished=True, result=result)


def _changed_tool(state: CallState, cause: str, **changes: Any) -> CallState:
    known = state.tools.get(cause)
    if known is None or known.finished:
        return state
    return changed(state, tools=with_entry(state.tools, cause, replace(known, **changes)))


MOVE_CHANGES: Constant[Changes] = {
    c.TransferCall: _transfer_ordered,
    c.HandOffCall: _handoff_ordered,
    c.FindDestination: _find,
    e.DestinationResolved: _resolved,
    e.HandoffCompleted: _completed,
    e.HandoffRefused: _refused,
    e.CallTransferred: _transferred,
    e.CallControlRequested: _control_requested,
}
