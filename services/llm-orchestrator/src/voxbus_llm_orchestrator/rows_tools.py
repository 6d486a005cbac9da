"""Rows about what is said while a tool runs and when it has answered.

What was said is on the log as a reply with a cause: `tool-start:ID`, `tool-late:ID:MS`, `tool-still:ID:N`,
`tool-done:REPLY`. So nothing is said twice, whoever owns the call.
"""

from collections.abc import Iterator
from typing import Final

from voxbus_contracts.events import FaultRaised, MessageAdded, ReplyStarted
from voxbus_llm_orchestrator.decision import At, Decide, Out, View
from voxbus_llm_orchestrator.rows_reply import tools_answered
from voxbus_llm_orchestrator.rows_supervisor import is_line_idle, last_played_ms
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply
from voxbus_llm_orchestrator.state import CallState, ToolRun
from voxbus_llm_orchestrator.tool_lines import TOOL_MESSAGE, VOICEMAIL, ToolLine, one_of, start_line, still_line
from voxbus_llm_orchestrator.tools_running import begun_ms, latest_model_reply, start_cause, times_to_come

ANNOUNCED_AFTER_MS: Final = 700
"""A tool without messages of its own that answers sooner is not announced: the announcement would only delay it."""

STILL_AFTER_MS: Final = 1_800
"""Of silence while a tool runs: what is said then sounds before 2 s are over."""

PATIENT_AFTER_MS: Final = 20_000
RARELY_AFTER_MS: Final = 8_000
"""A tool that may take longer than most is spoken of less often after this time."""

TOO_MANY_ROUNDS: Final = "I am sorry, I could not get that done. Is there anything else I can do?"


def announce_tool(view: View) -> Decide | None:
    """The tool's own words come before it runs, or while it does."""
    state = view.state
    for call_id, tool in state.tools.items():
        cause = start_cause(call_id)
        plan = view.plan.tool_plan(tool.name)
        if not tool.reply or tool.ordered or tool.finished or cause in state.carried_out or plan.kind == VOICEMAIL:
            continue
        line = one_of(plan.start, tool.arguments, _lot(call_id, tool))
        if line is not None:
            return Decide("tool-announced", _said(view, line.text, cause))
    return None


def keep_company(view: View) -> Decide | At | None:
    """A tool takes its time: its own words at their times, else the platform's before the line is silent for long."""
    state = view.state
    if not is_line_idle(view) or state.latest_words or state.awaits_final:
        return None
    wakes: list[int] = []
    for call_id, tool in state.tools.items():
        if not tool.ordered or tool.finished or not tool.reply:
            continue
        for due_ms, text, cause in _next_lines(view, call_id, tool):
            if view.now_ms >= due_ms:
                return Decide("tool-slow", _said(view, text, cause))
            wakes.append(due_ms)
    return At(min(wakes)) if wakes else None


def tell_outcome(view: View) -> Decide | None:
    """All tools of the model's latest reply have answered, and something is to be said or told to the model of it."""
    found = tools_answered(view.state)
    if found is None:
        return None
    number, reply = found
    state, cause = view.state, f"tool-done:{number}"
    if _rounds(state) >= view.plan.tool_rounds_at_most:
        fault = FaultRaised(code="tool-loop", detail=f"tools were called {_rounds(state)} times in one turn")
        return Decide("tool-loop", (fault, *_said(view, TOO_MANY_ROUNDS, cause)), rescue="tool-loop")
    lines = [(call_id, _outcome_line(view, call_id)) for call_id in reply.tools]
    said = [line for _, line in lines if line is not None and not line.is_hint]
    if len(said) == len(lines):
        text, ends_call = " ".join(line.text for line in said), any(line.ends_call for line in said)
        return Decide("tools-answered", _said(view, text, cause, ends_call=ends_call))
    hints = tuple(
        MessageAdded(role="system", content=line.text, cause=f"tool-hint:{call_id}")
        for call_id, line in lines
        if line is not None and line.is_hint and f"tool-hint:{call_id}" not in state.carried_out
    )
    if not hints:
        return None
    started = ReplyStarted(reply=state.next_reply, turn=reply.turn, source="tool", pts_ms=max(0, view.now_ms))
    return Decide("tools-answered", (*hints, started))


def _outcome_line(view: View, call_id: str) -> ToolLine | None:
    """What the tool's server wants to be said, else the tool's message for how it went."""
    tool = view.state.tools[call_id]
    if tool.message is not None:
        return tool.message
    plan = view.plan.tool_plan(tool.name)
    return one_of(plan.failed if tool.failed else plan.complete, tool.arguments, _lot(call_id, tool))


def _next_lines(view: View, call_id: str, tool: ToolRun) -> Iterator[tuple[int, str, str]]:
    """When what is to be said next of a running tool, and its cause."""
    state, plan = view.state, view.plan.tool_plan(tool.name)
    begun = begun_ms(state, plan, call_id, tool)
    coming = times_to_come(state, plan, call_id, tool)
    if coming:
        passed = [at for at in coming if begun + at <= view.now_ms]
        at_ms = max(passed) if passed else min(coming)
        line = one_of((each for each in plan.late if each.after_ms == at_ms), tool.arguments, _lot(call_id, tool))
        if line is not None:
            yield begun + at_ms, line.text, f"tool-late:{call_id}:{at_ms}"
    elif not plan.is_silent and tool.reply == latest_model_reply(state):
        yield _platforms_line(view, call_id, tool, begun)


def _platforms_line(view: View, call_id: str, tool: ToolRun, begun: int) -> tuple[int, str, str]:
    state, language, reply = view.state, view.plan.speculating.language, view.state.replies[tool.reply]
    start = start_cause(reply.tools[0])
    is_bridged = bool(reply.utterances) or last_played_ms(state) > begun
    if not is_bridged and start not in state.carried_out and not view.plan.tool_plan(tool.name).is_own:
        return begun + ANNOUNCED_AFTER_MS, start_line(language, _lot(call_id, tool)), start
    said = sum(1 for each in state.replies.values() if each.cause.startswith(f"tool-still:{call_id}:"))
    silent_since = max(begun, last_played_ms(state))
    gap_ms = STILL_AFTER_MS if silent_since - begun < PATIENT_AFTER_MS else RARELY_AFTER_MS
    return silent_since + gap_ms, still_line(language, said), f"tool-still:{call_id}:{said}"


def _rounds(state: CallState) -> int:
    """How often running the model has gone on from tools' answers, without the caller."""
    rounds = 0
    for _, reply in sorted(state.replies.items(), reverse=True):
        if reply.source == "model":
            break
        rounds += reply.source == "tool"
    return rounds


def _said(view: View, text: str, cause: str, *, ends_call: bool = False) -> tuple[Out, ...]:
    fixed = Fixed(text, TOOL_MESSAGE, cause=cause, end_call=ends_call)
    return fixed_reply(view.state, view.plan, fixed, view.now_ms)


def _lot(call_id: str, tool: ToolRun) -> str:
    """The audio clock at which the tool was wanted is as good as a die, and the same for every owner."""
    return f"{call_id}:{tool.requested_pts_ms}"
