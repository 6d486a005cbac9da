"""Rows against a silent line: it is the assistant's turn, and nothing is on its way to be heard.

A wait is counted from what the log says, so a new owner goes on waiting where the last one was. Each row acts a limited
number of times, then ends what cannot be mended. What it did is on the log; `rescue` names it for the counter.
"""

from typing import Final

from voxbus_contracts.events import FaultRaised, ToolGivenUp, TurnCommitted
from voxbus_llm_orchestrator.answering import Failure, failed
from voxbus_llm_orchestrator.conversation import FILLER
from voxbus_llm_orchestrator.decision import At, Decide, DropModel, View
from voxbus_llm_orchestrator.heard import is_over
from voxbus_llm_orchestrator.plan import AWAIT_FINAL_MS, NOT_UNDERSTOOD_AFTER_MS, NOT_UNDERSTOOD_VOICED_MS
from voxbus_llm_orchestrator.quiet import is_callers_turn
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply
from voxbus_llm_orchestrator.speculation import answer_to
from voxbus_llm_orchestrator.state import CallState, Reply, is_model_reply
from voxbus_llm_orchestrator.tools_running import begun_ms, times_to_come

SILENT_LINE_MS: Final = 4_000
"""A caller who hears nothing for so long in the assistant's turn is told that it goes on; then after twice that, …"""

FILLERS: Final = ("One moment, please.", "I am still working on it.", "Thank you for your patience.")

TOOL_GRACE_MS: Final = 2_000
"""The tool runner answers for a tool by its limit. What has not come this long after that will not come."""

ASK_BACK: Final = "Sorry, I did not catch that. Could you say it again?"
_ASK_BACK_AT_MOST: Final = 2


def retry_model(view: View) -> Decide | At | None:
    """The model says nothing, or stopped in the middle: it is asked once more, then given up with an apology."""
    state, plan = view.state, view.plan
    for number, reply in _waiting_for_model(state):
        if _is_something_coming(state, reply):
            continue
        until = max(reply.asked_pts_ms, _last_sound_ms(state, reply)) + plan.model_patience_ms
        if view.now_ms < until:
            return At(until)
        failure = Failure("model-slow", f"{plan.model_provider}: nothing for {plan.model_patience_ms} ms", True)
        outs = failed(state, plan, number, failure, view.now_ms)
        return Decide("model-slow", (DropModel(), *outs), rescue="model-slow")
    return None


def say_filler(view: View) -> Decide | At | None:
    """The model or a tool takes its time: the caller hears that somebody is there."""
    state = view.state
    since = _working_since_ms(view) if is_line_idle(view) else None
    if since is None:
        return None
    silent_since = max(since, last_played_ms(state))
    if view.now_ms < silent_since + SILENT_LINE_MS:
        return At(silent_since + SILENT_LINE_MS)
    cause = f"{FILLER}:{state.next_turn - 1}"
    said = sum(1 for reply in state.replies.values() if reply.cause == cause and reply.started_pts_ms >= since)
    if said >= len(FILLERS):
        return None
    until = silent_since + SILENT_LINE_MS * (said + 1)
    if view.now_ms < until:
        return At(until)
    outs = fixed_reply(state, view.plan, Fixed(FILLERS[said], FILLER, cause=cause), view.now_ms)
    return Decide("filler-due", outs, rescue="filler")


def give_up_tool(view: View) -> Decide | At | None:
    """A tool gave no answer within its limit, not even that it failed: the model is told so."""
    wakes: list[int] = []
    for call_id, tool in view.state.tools.items():
        if not tool.ordered or tool.finished:
            continue
        begun = begun_ms(view.state, view.plan.tool_plan(tool.name), call_id, tool)
        until = begun + view.plan.tool_timeout_ms(tool.name) + TOOL_GRACE_MS
        if view.now_ms >= until:
            fault = FaultRaised(code="tool-hanging", detail="a tool gave no answer in time", retryable=False)
            given_up = ToolGivenUp(tool_call_id=call_id, tool_name=tool.name, pts_ms=max(0, view.now_ms))
            return Decide("tool-hanging", (fault, given_up), rescue="tool-hanging")
        wakes.append(until)
    return At(min(wakes)) if wakes else None


def answer_without_final(view: View) -> Decide | At | None:
    """The recognizer's last word on what the caller said does not come: its last guess counts, or it is asked for."""
    state, stretch = view.state, view.state.stretch
    if not is_callers_turn(state) or not state.awaits_final or state.latest_words or stretch is None:
        return None
    until = (stretch.stopped_pts_ms or 0) + AWAIT_FINAL_MS
    if view.now_ms < until:
        return At(until)
    guess = state.guess
    if not guess and stretch.voiced_ms < NOT_UNDERSTOOD_VOICED_MS:
        return None
    fault = FaultRaised(code="final-never-came", detail=f"no transcript within {AWAIT_FINAL_MS} ms", retryable=True)
    if not guess:
        asked = _ask_back(view, "final-never-came")
        return Decide(asked.reason, (fault, *asked.outs), rescue="final-never-came")
    committed = _committed(view, guess, "final-never-came")
    answer = answer_to(view, committed.turn, guess, committed.anchor_pts_ms)
    return Decide("final-never-came", (fault, committed, answer), rescue="final-never-came")


def ask_back(view: View) -> Decide | At | None:
    """The caller spoke, the recognizer made nothing of it."""
    state, stretch = view.state, view.state.stretch
    if not is_callers_turn(state) or not state.unconsumed or state.latest_words or state.awaits_final:
        return None
    if stretch is None or stretch.stopped_pts_ms is None or stretch.voiced_ms < NOT_UNDERSTOOD_VOICED_MS:
        return None
    until = stretch.stopped_pts_ms + max(NOT_UNDERSTOOD_AFTER_MS, view.plan.wait_ms)
    return _ask_back(view, "not-understood") if view.now_ms >= until else At(until)


def _ask_back(view: View, reason: str) -> Decide:
    """The turn is over without words; twice running it is answered with a question, then the caller has to go on."""
    state = view.state
    committed = _committed(view, "", reason)
    latest = [reply.source for _, reply in sorted(state.replies.items())][-_ASK_BACK_AT_MOST:]
    if latest == ["recovery"] * _ASK_BACK_AT_MOST:
        return Decide(f"{reason}-again", (committed,), rescue="not-understood-again")
    answer = fixed_reply(state, view.plan, Fixed(ASK_BACK, "recovery"), view.now_ms)
    return Decide(reason, (committed, *answer), rescue="not-understood")


def _committed(view: View, text: str, reason: str) -> TurnCommitted:
    """The turn ends at the last voiced sample with what there is; a guess counts as consumed like a final."""
    state = view.state
    anchor = (state.stretch.stopped_pts_ms if state.stretch else None) or 0
    guessed = (state.partial_seq,) if state.guess else ()
    return TurnCommitted(
        turn=state.next_turn,
        text=text,
        transcript_seqs=(*(seq for seq, _ in state.unconsumed), *guessed),
        anchor_pts_ms=anchor,
        pts_ms=view.now_ms,
        reason=reason,
        endpointing_ms=max(0, view.now_ms - anchor),
    )


def _waiting_for_model(state: CallState) -> list[tuple[int, Reply]]:
    return [(number, reply) for number, reply in state.awaited_replies if is_model_reply(reply) and not reply.generated]


def _is_something_coming(state: CallState, reply: Reply) -> bool:
    return any(not is_over(state, seq) for seq in reply.utterances)


def is_line_idle(view: View) -> bool:
    """Both sides are silent, the line is there, and no sentence is on its way."""
    state = view.state
    if not state.started or state.is_caller_speaking or state.detached_pts_ms is not None or view.line_lost_pts_ms:
        return False
    return not any(_is_something_coming(state, reply) for _, reply in state.open_replies)


def _working_since_ms(view: View) -> int | None:
    """Since when the model or a tool works on what the caller waits for; None = nobody does.

    A tool that has words of its own still to be said is left to them.
    """
    state = view.state
    begun = [reply.started_pts_ms for _, reply in _waiting_for_model(state)]
    begun += [
        tool.requested_pts_ms
        for call_id, tool in state.tools.items()
        if tool.ordered
        and not tool.finished
        and not times_to_come(state, view.plan.tool_plan(tool.name), call_id, tool)
    ]
    return min(begun, default=None)


def _last_sound_ms(state: CallState, reply: Reply) -> int:
    return max((state.playbacks[seq].last_pts_ms for seq in reply.utterances if seq in state.playbacks), default=0)


def last_played_ms(state: CallState) -> int:
    """They play in the order of their numbers."""
    return state.playbacks[max(state.playbacks)].last_pts_ms if state.playbacks else 0
