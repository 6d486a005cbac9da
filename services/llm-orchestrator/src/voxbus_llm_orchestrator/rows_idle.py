"""Rows for a line on which nobody speaks: idle messages and hooks on the caller's silence."""

from voxbus_contracts.commands import EndCall
from voxbus_contracts.events import MessageAdded, ReplyStarted
from voxbus_llm_orchestrator.decision import At, Decide, Out, View
from voxbus_llm_orchestrator.plan import Idle
from voxbus_llm_orchestrator.quiet import caller_last_began_ms, quiet_since_ms
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply
from voxbus_llm_orchestrator.state import CallState


def say_something_idle(view: View) -> Decide | At | None:
    """The caller has been silent for long: the first idle plan that is due and has not acted often enough yet."""
    state = view.state
    since = quiet_since_ms(state) if view.plan.idle else None
    if since is None or state.detached_pts_ms is not None:
        return None
    wakes: list[int] = []
    for index, idle in enumerate(view.plan.idle):
        count = _times_acted(state, index, idle)
        if count >= idle.at_most:
            continue
        until = since + idle.after_ms
        if view.now_ms >= until:
            return Decide("caller-idle", _act(view, index, count))
        wakes.append(until)
    return At(min(wakes)) if wakes else None


def _act(view: View, index: int, count: int) -> tuple[Out, ...]:
    state, idle, cause = view.state, view.plan.idle[index], _cause(index)
    if idle.texts:
        fixed = Fixed(idle.texts[count % len(idle.texts)], "idle-message", cause=cause, end_call=idle.ends_call)
        return fixed_reply(state, view.plan, fixed, view.now_ms)
    if idle.prompt:
        added = MessageAdded(role="system", content=idle.prompt, cause=cause)
        started = ReplyStarted(reply=state.next_reply, turn=0, source="model", cause=cause, pts_ms=max(0, view.now_ms))
        return (added, started)
    return (EndCall(reason="assistant-ended-call"),)


def _times_acted(state: CallState, index: int, idle: Idle) -> int:
    since_ms = caller_last_began_ms(state) if idle.is_reset_by_speech else -1
    replies = state.replies.values()
    return sum(1 for reply in replies if reply.cause == _cause(index) and reply.started_pts_ms > since_ms)


def _cause(index: int) -> str:
    return f"idle:{index}"
