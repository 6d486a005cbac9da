"""Rows that take the call elsewhere: to another assistant, or to somebody outside.

Nothing moves before what was begun has been heard, so the old voice ends its sentence; what is said before a move is a
reply with the cause `moving:CAUSE`, what the new assistant says first one with `greeting:N`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pydantic import ValidationError

from voxbus_contracts.commands import FindDestination
from voxbus_contracts.destination import FIRST, Destination
from voxbus_contracts.events import (
    CallControlRequested,
    CallTransferred,
    HandoffCompleted,
    HandoffRefused,
    ReplyStarted,
)
from voxbus_llm_orchestrator.answering import MODEL_SPEAKS_FIRST
from voxbus_llm_orchestrator.decision import At, Decide, View
from voxbus_llm_orchestrator.moving import NO_DESTINATION, MoveTool, meant, said_before
from voxbus_llm_orchestrator.rows_hook_acts import MOVING, move_due
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply
from voxbus_llm_orchestrator.state import MoveOrder
from voxbus_llm_orchestrator.tools_running import waits_for_words
from voxbus_runtime.extraction import extracted

TRANSFER_MESSAGE_SOURCE: Final = "transfer-message"
FOUND_WITHIN_MS: Final = 25_000
"""An order from outside whose destination nobody has found by then is refused; a tool has its own limit."""

VERDICT: Final = "verdict"
"""Cause of the move of a call that no assistant takes."""

NOT_FOUND_IN_TIME: Final = "Nobody said in time where the call should go."


@dataclass(frozen=True, slots=True)
class Wish:
    """The call is to go elsewhere. Without a `destination` somebody has to be asked; `refusal` = it cannot."""

    cause: str
    tool: MoveTool
    parameters: Mapping[str, Any]
    tool_name: str = ""
    destination: Destination | None = None
    lookup: Mapping[str, Any] | None = None
    spoken: str = ""
    result: str | None = None
    refusal: str = ""


def move(view: View) -> Decide | At | None:
    """The first wish that is not carried out: found out where to, announced, done."""
    wish = _next_wish(view)
    return _go_on(view, wish) if wish is not None else _move_of_hook(view)


def move_at_last(view: View) -> Decide | At | None:
    """The call is ending, and a hook takes the caller to somebody else first."""
    return _move_of_hook(view)


def _move_of_hook(view: View) -> Decide | At | None:
    due = move_due(view)
    if due is None or isinstance(due, At):
        return due
    cause, destination = due
    return _go_on(view, _answered(view, _wish_for(view, cause, MoveOrder("transfer", destination))))


def _go_on(view: View, wish: Wish) -> Decide | At | None:
    if wish.refusal:
        refused = HandoffRefused(cause=wish.cause, reason=wish.refusal, pts_ms=max(0, view.now_ms))
        return Decide("move-refused", (refused,))
    if wish.destination is None:
        return _find(view, wish)
    state, cause = view.state, f"{MOVING}:{wish.cause}"
    tool = state.tools.get(wish.cause)
    reply = state.replies.get(tool.reply) if tool else None
    if reply is not None and not reply.ended and not reply.generated:
        return None
    if wish.spoken and cause not in state.carried_out:
        return Decide("move-announced", fixed_reply(state, view.plan, _announcement(wish, cause), view.now_ms))
    if state.open_replies:
        return None
    return _done(view, wish, wish.destination)


def greet(view: View) -> Decide | None:
    """The assistant that took over speaks first, unless it waits for the caller.

    With nothing to say of its own its model answers: the caller has just asked for something.
    """
    state, plan = view.state, view.plan
    cause = f"greeting:{len(state.handoffs)}"
    if not state.handoffs or cause in state.carried_out or plan.first_message_mode == "assistant-waits-for-user":
        return None
    if state.open_replies or any(number >= state.handoffs[-1].first_reply for number in state.replies):
        return None
    if plan.first_message and plan.first_message_mode != MODEL_SPEAKS_FIRST:
        fixed = Fixed(plan.first_message, "first-message", cause, interruptible=plan.first_message_interruptible)
        return Decide("handoff-greeting", fixed_reply(state, plan, fixed, view.now_ms))
    tool = state.tools.get(state.handoffs[-1].cause)
    turn = tool.turn if tool else 0
    started = ReplyStarted(reply=state.next_reply, turn=turn, source="model", cause=cause, pts_ms=max(0, view.now_ms))
    return Decide("handoff-greeting", (started,))


def _announcement(wish: Wish, cause: str) -> Fixed:
    return Fixed(wish.spoken, TRANSFER_MESSAGE_SOURCE, cause)


def _next_wish(view: View) -> Wish | None:
    state, moving = view.state, view.plan.moving
    for call_id, tool in state.tools.items():
        way = moving.tools.get(tool.name)
        if way is None or not tool.reply or tool.finished or call_id in state.moved:
            continue
        if waits_for_words(state, view.plan.tool_plan(tool.name), call_id):
            return None
        return _answered(view, _wish_of_tool(call_id, tool.name, way, tool.arguments))
    for event_id in state.move_orders:
        if event_id not in state.moved:
            return _answered(view, _wish_for(view, event_id, state.move_orders[event_id]))
    return _wish_of_verdict(view)


def _wish_of_verdict(view: View) -> Wish | None:
    verdict = view.plan.verdict
    if verdict is None or not verdict.destination or VERDICT in view.state.moved:
        return None
    wish = Wish(VERDICT, MoveTool("transfer"), {}, spoken=verdict.say)
    destination = _read(verdict.destination)
    return replace(wish, refusal=NO_DESTINATION) if destination is None else replace(wish, destination=destination)


def _wish_of_tool(call_id: str, name: str, way: MoveTool, arguments: Mapping[str, Any]) -> Wish:
    wish = Wish(call_id, way, arguments, tool_name=name, result=way.default_result)
    destination = meant(way, arguments)
    if destination is None and not way.is_asked_for:
        return replace(wish, refusal=NO_DESTINATION)
    if destination is None or destination.type == "dynamic":
        return wish
    return replace(wish, destination=destination, spoken=said_before(way, destination))


def _wish_for(view: View, cause: str, order: MoveOrder) -> Wish:
    """Of an order from outside, or a hook."""
    way = MoveTool(order.request)
    wish = Wish(cause, way, {}, spoken=order.content or "")
    destination = _read(order.destination)
    if destination is None:
        return replace(wish, refusal=NO_DESTINATION)
    if not destination.address and not destination.member:
        member = view.plan.moving.member_named(destination.assistant_name or "")
        if not member:
            return replace(wish, lookup=order.destination)
        destination = destination.model_copy(update={"member": member})
    spoken = said_before(way, destination) if order.content is None else order.content
    return replace(wish, destination=destination, spoken=spoken)


def _answered(view: View, wish: Wish) -> Wish:
    """With what was found out meanwhile, if anything had to be."""
    found = view.state.found.get(wish.cause)
    if wish.destination is not None or wish.refusal or found is None:
        return wish
    destination = _read(found.destination)
    if destination is None or not (destination.address or destination.member in view.plan.moving.names):
        return replace(wish, refusal=found.error or NO_DESTINATION)
    spoken = wish.spoken or (said_before(wish.tool, destination) if found.message is None else found.message)
    return replace(wish, destination=destination, spoken=spoken, result=found.result or wish.result)


def _read(given: Mapping[str, Any]) -> Destination | None:
    if not given:
        return None
    try:
        return Destination.model_validate(given)
    except ValidationError:
        return None


def _find(view: View, wish: Wish) -> Decide | At | None:
    state, plan = view.state, view.plan
    asked_ms = state.searched.get(wish.cause)
    if asked_ms is None:
        find = FindDestination(
            cause=wish.cause,
            request=wish.tool.request,
            tool_name=wish.tool_name,
            member=state.active,
            parameters=dict(wish.parameters),
            destination=dict(wish.lookup or {}),
            timeout_ms=plan.tool_timeout_ms(wish.tool_name),
            pts_ms=max(0, view.now_ms),
        )
        return Decide("destination-wanted", (find,))
    if wish.tool_name:
        return None
    until = asked_ms + FOUND_WITHIN_MS
    if view.now_ms < until:
        return At(until)
    refused = HandoffRefused(cause=wish.cause, reason=NOT_FOUND_IN_TIME, pts_ms=max(0, view.now_ms))
    return Decide("move-refused", (refused,))


def _done(view: View, wish: Wish, destination: Destination) -> Decide:
    now_ms = max(0, view.now_ms)
    if not destination.address:
        return Decide("handed-off", (_completed(view, wish, destination),))
    if view.plan.moving.is_controlled:
        told = destination.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
        request: Literal["forward"] = "forward"
        asked = CallControlRequested(request=request, destination=told, cause=wish.cause, pts_ms=now_ms)
        return Decide("forwarding-requested", (asked,))
    mode = destination.transfer_plan.mode if destination.transfer_plan else "blind-transfer"
    gone = CallTransferred(destination=destination.address, mode=mode, cause=wish.cause)
    return Decide("transferred", (gone,))


def _completed(view: View, wish: Wish, destination: Destination) -> HandoffCompleted:
    state, moving, plan = view.state, view.plan.moving, destination.context_engineering_plan
    known = {**moving.known, **state.variables}
    found = extracted(destination.variable_extraction_plan, dict(wish.parameters), known, moving.made_at_ms)
    return HandoffCompleted(
        from_assistant=moving.names.get(state.active, ""),
        to_assistant=moving.names.get(destination.member, ""),
        from_assistant_id=moving.ids.get(state.active),
        to_assistant_id=moving.ids.get(destination.member),
        member=destination.member or FIRST,
        cause=wish.cause,
        context=destination.context,
        max_messages=(plan.max_messages or 0) if plan else 0,
        from_utterance_seq=state.next_utterance,
        result=wish.result,
        variables=found,
        pts_ms=max(0, view.now_ms),
    )
