"""Rows about what the assistant says and does."""

from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import Verdict
from voxbus_contracts.events import MessageAdded, ReplyFinished, ReplyInterrupted, ReplyStarted
from voxbus_llm_orchestrator.decision import AskModel, At, Decide, Out, View
from voxbus_llm_orchestrator.heard import heard_of_reply, is_over
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply, give_up
from voxbus_llm_orchestrator.state import CallState, Order, Reply, is_model_reply
from voxbus_llm_orchestrator.tools_running import (
    ACTS,
    latest_model_reply,
    tools_known_by_ms,
    waits_for_words,
    wanted_tools,
)

CLEARED_WITHIN_MS = 500
"""media-ingress reports a clear at once; if it cannot, what is known by then counts as heard."""


def close_what_was_interrupted(view: View) -> Decide | At | None:
    """The line is clear: what was heard until then is what was said."""
    state = view.state
    for number, reply in state.open_replies:
        if reply.given_up_pts_ms is None:
            continue
        until = reply.given_up_pts_ms + CLEARED_WITHIN_MS
        upto = max(reply.utterances, default=0)
        is_line_there = state.detached_pts_ms is None and view.line_lost_pts_ms is None
        if is_line_there and upto > state.cleared_upto and view.now_ms < until:
            return At(until)
        interrupted = ReplyInterrupted(
            reply=number,
            turn=reply.turn,
            heard=heard_of_reply(state, reply),
            up_to_utterance_seq=upto,
            pts_ms=max(0, view.now_ms),
            reason=reply.given_up_reason or "caller-spoke",
        )
        return Decide("interrupted", (interrupted,))
    return None


def order_tools(view: View) -> Decide | None:
    """A tool was logged as wanted but not ordered yet."""
    orders = tuple(
        RunTool(
            tool_call_id=call_id,
            tool_name=tool.name,
            arguments=dict(tool.arguments),
            timeout_ms=view.plan.tool_timeout_ms(tool.name),
            variables=dict(view.state.variables),
            member=view.state.active,
            remote=view.plan.remote_tools.get(tool.name),
        )
        for call_id, tool in wanted_tools(view.state)
        if view.plan.tool_plan(tool.name).kind not in ACTS
        and tool.name not in view.plan.moving.tools
        and not waits_for_words(view.state, view.plan.tool_plan(tool.name), call_id)
    )
    return Decide("tool-wanted", orders) if orders else None


def finish(view: View) -> Decide | None:
    """All that was generated has been heard."""
    state = view.state
    for number, reply in state.open_replies:
        complete = reply.generated and reply.given_up_pts_ms is None
        if complete and all(is_over(state, seq) for seq in reply.utterances):
            heard = heard_of_reply(state, reply)
            finished = ReplyFinished(reply=number, turn=reply.turn, heard=heard, pts_ms=max(0, view.now_ms))
            return Decide("heard-to-the-end", (finished,))
    return None


def carry_out_orders(view: View) -> Decide | None:
    """Say or message commands from outside, one after the other."""
    state = view.state
    for cause, order in state.orders.items():
        if cause in state.carried_out:
            continue
        if order.kind == "message":
            return Decide("message-added", _added(view, cause, order))
        fixed = _ordered_words(view, cause, order)
        if fixed is None:
            continue
        if not state.open_replies:
            return Decide("told-to-say", fixed_reply(state, view.plan, fixed, view.now_ms))
        if order.interrupt and any(reply.given_up_pts_ms is None for _, reply in state.open_replies):
            return Decide("told-to-say-at-once", give_up(view, "told-to-say"))
        return None
    return None


def answer_message(view: View) -> Decide | None:
    """A message from outside that came while something was said is answered afterwards.

    Not if the model has been asked since, or will be: then its answer takes the message along.
    """
    state = view.state
    wanted = {cause for cause, order in state.orders.items() if order.respond and order.role != "assistant"}
    if not wanted or not _is_nothing_under_way(state):
        return None
    for item in reversed(state.items):
        if item.kind == "added" and item.cause in wanted:
            cause = f"{item.cause}:answer"
            started = ReplyStarted(
                reply=state.next_reply, turn=0, source="model", cause=cause, pts_ms=max(0, view.now_ms)
            )
            return Decide("message-to-answer", (started,))
        if item.kind in ("turn", "handoff") or (item.kind == "reply" and is_model_reply(state.replies[item.number])):
            return None
    return None


def _is_nothing_under_way(state: CallState) -> bool:
    """Nobody speaks, nothing that was said waits to be answered, no tool runs."""
    is_callers_turn = state.is_caller_speaking or state.latest_words or state.awaits_final
    return not state.open_replies and not is_callers_turn and all(tool.finished for tool in state.tools.values())


def _ordered_words(view: View, cause: str, order: Order) -> Fixed | None:
    """None = the assistant that speaks has no first message to say."""
    if order.kind != "first-message":
        return Fixed(order.content, "say", cause=cause, interruptible=order.interruptible, end_call=order.end_call)
    words, interruptible = view.plan.first_message, view.plan.first_message_interruptible
    return Fixed(words, "say", cause=cause, interruptible=interruptible) if words else None


def speak_first(view: View) -> Decide | None:
    """The call has started and the assistant opens it."""
    state, plan = view.state, view.plan
    if not state.started or state.replies or plan.first_message_mode == "assistant-waits-for-user":
        return None
    if plan.verdict is not None:
        return _pronounce(view, plan.verdict)
    if plan.first_message_mode == "assistant-speaks-first":
        if not plan.first_message:
            return None
        fixed = Fixed(plan.first_message, "first-message", interruptible=plan.first_message_interruptible)
        outs = fixed_reply(state, plan, fixed, view.now_ms)
        return Decide("first-message", outs)
    return Decide("first-message", (ReplyStarted(reply=1, turn=0, source="model", pts_ms=max(0, view.now_ms)),))


def _pronounce(view: View, verdict: Verdict) -> Decide | None:
    """The caller hears why there is no assistant. What is said before the call leaves is said by the row that moves."""
    if verdict.destination or not verdict.say:
        return None
    fixed = Fixed(verdict.say, "first-message", interruptible=False, end_call=True)
    return Decide("no-assistant", fixed_reply(view.state, view.plan, fixed, view.now_ms))


def answer_tools(view: View) -> Decide | None:
    """All tools of the model's latest reply have answered: it goes on with their results."""
    found = tools_answered(view.state)
    if found is None:
        return None
    started = ReplyStarted(reply=view.state.next_reply, turn=found[1].turn, source="tool", pts_ms=max(0, view.now_ms))
    return Decide("tools-answered", (started,))


def tools_answered(state: CallState) -> tuple[int, Reply] | None:
    """The model's latest reply, if all the tools it called have answered and nothing was said of that yet."""
    latest = latest_model_reply(state)
    reply = state.replies.get(latest)
    if reply is None or not reply.tools or not reply.generated or reply.end_call:
        return None
    if reply.given_up_pts_ms is not None or not all(state.tools[call_id].finished for call_id in reply.tools):
        return None
    return None if f"tool-done:{latest}" in state.carried_out else (latest, reply)


def ask_model(view: View) -> Decide | At | None:
    """A reply waits for the model and nobody is asking it; what MCP servers have to offer is waited for a little."""
    for number, reply in view.state.open_replies:
        waits = is_model_reply(reply) and not reply.generated and reply.given_up_pts_ms is None
        if waits and view.asking != number:
            until = tools_known_by_ms(view)
            return Decide("answer-due", (AskModel(number),)) if view.now_ms >= until else At(until)
    return None


def _added(view: View, cause: str, order: Order) -> tuple[Out, ...]:
    state = view.state
    added = MessageAdded(role=order.role, content=order.content, cause=cause)
    if not order.respond or state.open_replies or order.role == "assistant":
        return (added,)
    return (added, ReplyStarted(reply=state.next_reply, turn=0, source="model", pts_ms=max(0, view.now_ms)))
