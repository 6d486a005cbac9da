"""Rows that do what a hook is for: one thing after the other, each logged with its own cause before it takes effect."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal
from zlib import crc32

from voxbus_contracts.commands import EndCall, RunTool
from voxbus_contracts.events import MessageAdded, ReplyStarted, ToolRequested
from voxbus_contracts.hook import (
    ASSISTANT_INTERRUPTED,
    CUSTOMER_INTERRUPTED,
    ENDING,
    LOW_CONFIDENCE,
    MODEL_TIMEOUT,
)
from voxbus_llm_orchestrator.decision import At, Decide, Out, View
from voxbus_llm_orchestrator.hooks import HOOK, Act
from voxbus_llm_orchestrator.rows_supervisor import is_line_idle
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply
from voxbus_llm_orchestrator.state import CallState, HookRun

ENDING_WITHIN_MS: Final = 20_000
"""A call that ends waits no longer than this for what its hooks have begun."""

MOVING: Final = "moving"
"""How the cause of what is said before a move begins."""

_IN_THE_CALLERS_TURN: Final = frozenset({ASSISTANT_INTERRUPTED, CUSTOMER_INTERRUPTED, LOW_CONFIDENCE})
"""What is said then comes before the answer to the caller's words: they wait, and do not break it off."""

_Progress = Literal["done", "begun", "due"]


def act(view: View) -> Decide | At | None:
    """The next thing of a hook that has come."""
    wakes: list[int] = []
    for trigger, run in view.state.hooks.items():
        answer = _go_on(view, trigger, run)
        if isinstance(answer, Decide):
            return answer
        wakes += [answer.pts_ms] if answer else []
    return At(min(wakes)) if wakes else None


def are_done(view: View) -> bool:
    """Everything that the hooks on the call's end are for has been done, tools' answers included."""
    return all(
        _progress(view, run, f"{trigger}:{place}", each) == "done"
        for trigger, run in view.state.hooks.items()
        if run.end_reason
        for place, each in enumerate(_acts_of(view, run))
    )


def move_due(view: View) -> tuple[str, Mapping[str, Any]] | At | None:
    """The cause and destination of a hook's transfer whose turn has come; it is announced as other words of hooks."""
    for trigger, run in view.state.hooks.items():
        for place, each in enumerate(_acts_of(view, run)):
            cause = f"{trigger}:{place}"
            progress = _progress(view, run, cause, each)
            if progress == "done" or (progress == "begun" and each.kind == "tool"):
                continue
            if each.kind != "transfer":
                break
            until = 0 if f"{MOVING}:{cause}" in view.state.carried_out else _may_speak_from_ms(view, run)
            if until is None:
                return None
            return At(until) if view.now_ms < until else (cause, each.destination)
    return None


def is_said_at_the_end(state: CallState) -> bool:
    """The caller has heard something of what the hooks on the call's end had to say."""
    causes = tuple(f"{trigger}:" for trigger, run in state.hooks.items() if run.end_reason)
    return any(reply.heard and reply.cause.startswith(causes) for reply in state.replies.values()) if causes else False


def _go_on(view: View, trigger: str, run: HookRun) -> Decide | At | None:
    for place, each in enumerate(_acts_of(view, run)):
        cause = f"{trigger}:{place}"
        progress = _progress(view, run, cause, each)
        if progress == "due":
            return _begin(view, run, cause, each)
        if progress == "begun" and each.kind != "tool":
            return None  # what is said next waits for it; a tool is not waited for
    return None


def _acts_of(view: View, run: HookRun) -> tuple[Act, ...]:
    hooks = view.plan.hooks
    is_own = run.handoffs == len(view.state.handoffs) and run.hook < len(hooks)
    return hooks[run.hook].acts if is_own and not run.passed_over else ()


def _progress(view: View, run: HookRun, cause: str, each: Act) -> _Progress:
    state = view.state
    match each.kind:
        case "tool":
            tool = state.tools.get(_call_id(cause))
            if tool is None or not tool.ordered:
                return "due"
            return "done" if tool.finished or _is_line_gone(view) else "begun"
        case "end-call":
            return "done" if state.end_reasons or run.end_reason else "due"
        case "transfer":
            return "done" if cause in state.moved or state.transferred or _is_line_gone(view) else "due"
        case "message":
            return "done" if cause in state.carried_out else "due"
        case "say" | "prompt":
            if cause not in state.carried_out:
                return "done" if _is_too_late(view, run) else "due"
            is_open = any(reply.cause == cause for _, reply in state.open_replies)
            return "begun" if is_open else "done"


def _is_too_late(view: View, run: HookRun) -> bool:
    """Nobody is there to hear it, or the model that was slow has answered."""
    state = view.state
    if run.on == ENDING:
        return _is_line_gone(view)
    reply = state.replies.get(run.reply)
    return run.on == MODEL_TIMEOUT and reply is not None and bool(reply.generated or reply.utterances or reply.ended)


def _is_line_gone(view: View) -> bool:
    return view.state.detached_pts_ms is not None or view.line_lost_pts_ms is not None


def _begin(view: View, run: HookRun, cause: str, each: Act) -> Decide | At | None:
    state, now_ms = view.state, max(0, view.now_ms)
    match each.kind:
        case "tool":
            return Decide("hook-tool", _tool_outs(view, cause, each))
        case "transfer":
            return None  # `rows_moving` takes the call there
        case "end-call":
            return Decide("hook-ends-call", (EndCall(reason="assistant-ended-call"),))
        case "message":
            role = "system" if each.role == "developer" else each.role
            added = MessageAdded(role=role, content=each.text, cause=cause)
            started = ReplyStarted(
                reply=state.next_reply, turn=0, source="model", cause=f"{cause}:answer", pts_ms=now_ms
            )
            answers = each.responds and role != "assistant" and not run.end_reason and _is_free(state)
            return Decide("hook-message", (added, started) if answers else (added,))
        case "say" | "prompt":
            until = _may_speak_from_ms(view, run)
            if until is None:
                return None
            return At(until) if now_ms < until else Decide("hook-says", _says(view, run, cause, each))


def _says(view: View, run: HookRun, cause: str, each: Act) -> tuple[Out, ...]:
    state, now_ms = view.state, max(0, view.now_ms)
    if each.kind == "say":
        text = each.texts[crc32(f"{cause}:{run.pts_ms}".encode()) % len(each.texts)]
        is_broken_off = not run.end_reason and run.on not in _IN_THE_CALLERS_TURN
        fixed = Fixed(text, HOOK, cause=cause, interruptible=is_broken_off)
        return fixed_reply(state, view.plan, fixed, view.now_ms)
    if not run.end_reason and not _is_free(state):  # the answer that is on its way takes it along
        return (MessageAdded(role="system", content=each.text, cause=cause),)
    prompted = f"{cause}:prompt"
    added = MessageAdded(role="system", content=each.text, cause=prompted)
    started = ReplyStarted(reply=state.next_reply, turn=0, source="model", cause=cause, pts_ms=now_ms)
    return (started,) if prompted in state.carried_out else (added, started)


def _tool_outs(view: View, cause: str, each: Act) -> tuple[Out, ...]:
    state, call_id = view.state, _call_id(cause)
    requested = ToolRequested(
        tool_call_id=call_id, tool_name=each.tool, arguments={}, reply=0, turn=0, pts_ms=max(0, view.now_ms)
    )
    order = RunTool(
        tool_call_id=call_id,
        tool_name=each.tool,
        arguments={},
        timeout_ms=view.plan.tool_timeout_ms(each.tool),
        variables=dict(state.variables),
    )
    return (order,) if call_id in state.tools else (requested, order)


def _call_id(cause: str) -> str:
    return re.sub("[:@]", "_", cause)


def _may_speak_from_ms(view: View, run: HookRun) -> int | None:
    """None = not before something happens: nothing is said over anybody, nor into the caller's turn."""
    state = view.state
    if run.on == MODEL_TIMEOUT:
        return 0 if is_line_idle(view) else None
    if state.open_replies or _is_line_gone(view) or (state.is_caller_speaking and not run.end_reason):
        return None
    if run.on in _IN_THE_CALLERS_TURN:
        stretch = state.stretch
        return ((stretch.stopped_pts_ms or 0) if stretch else 0) + view.plan.wait_ms
    return 0 if run.end_reason or _is_free(state) else None


def _is_free(state: CallState) -> bool:
    """Nobody speaks or is about to be answered."""
    return not (state.open_replies or state.is_caller_speaking or state.latest_words or state.awaits_final)
