"""Rows that end the call."""

import re

from voxbus_contracts.events import CallControlRequested, CallEnded
from voxbus_llm_orchestrator import rows_hooks
from voxbus_llm_orchestrator.decision import At, Decide, OnlyAt, View
from voxbus_llm_orchestrator.quiet import quiet_since_ms
from voxbus_llm_orchestrator.rows_hook_acts import ENDING_WITHIN_MS, are_done, is_said_at_the_end
from voxbus_llm_orchestrator.rows_measure import measured_so_far
from voxbus_llm_orchestrator.rows_reply import close_what_was_interrupted
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply, give_up
from voxbus_llm_orchestrator.state import CallState, HookRun
from voxbus_llm_orchestrator.tool_lines import TOOL_MESSAGE, VOICEMAIL

SILENCE_TIMEOUT = "silence-timeout"
"""The source of the last message after long silence; a caller who breaks it off is there after all."""

_FAREWELLS = {
    SILENCE_TIMEOUT: "silence-timed-out",
    TOOL_MESSAGE: "assistant-ended-call-after-message-spoken",
    VOICEMAIL: "voicemail",
}
"""Why the call ends after a fixed reply that ends it, where it is not the assistant's own wish."""

_HOOK_SAID = "call.ending.hook-executed-say"
"""The public API's reason for a call whose hook had the last word."""

_HOOK_TRANSFERRED = "call.ending.hook-executed-transfer"
"""And for one whose hook took the caller to somebody else."""

_WORD = re.compile(r"[\w']+")


def end_on_request(view: View) -> Decide | At | None:
    """Somebody with the right to asked for it."""
    return _ended(view, view.state.end_reasons[0], view.state.end_message) if view.state.end_reasons else None


def end_on_hang_up(view: View) -> Decide | At | None:
    """The caller closed the line cleanly."""
    return _ended(view, "customer-ended-call") if view.state.detached_clean else None


def end_on_lost_line(view: View) -> Decide | At | None:
    """The line broke, or its media-ingress died, and nobody came back within the resume window."""
    since = view.state.detached_pts_ms
    if since is None:
        since = view.line_lost_pts_ms
    if since is None:
        return None
    until = since + view.plan.resume_window_ms
    return _ended(view, "customer-ended-call") if view.now_ms >= until else At(until)


def end_at_maximum_duration(view: View) -> Decide | At | None:
    if not view.state.started:
        return None
    until = view.state.answered_pts_ms + view.plan.max_duration_ms
    return _ended(view, "exceeded-max-duration") if view.now_ms >= until else At(until)


def end_after_transfer(view: View) -> Decide | At | None:
    """The caller was handed to somebody outside."""
    return _ended(view, "assistant-forwarded-call") if view.state.transferred else None


def end_after_farewell(view: View) -> Decide | At | None:
    """The reply that was to end the call is over, or a phrase that ends it was heard.

    A customer's server that hangs up itself is asked to, once.
    """
    state, reason = view.state, _farewell(view)
    if not reason:
        return None
    if not view.plan.moving.is_controlled:
        return _ended(view, reason)
    if state.hang_up_requested:
        return None
    return Decide(reason, (CallControlRequested(request="hang-up", pts_ms=max(0, view.now_ms)),))


def _farewell(view: View) -> str:
    """Why the call is over by what the assistant that has it said; "" = it is not."""
    handoffs = view.state.handoffs
    first = handoffs[-1].first_reply if handoffs else 0
    for number, reply in view.state.replies.items():
        if not reply.ended or number < first:
            continue
        if reply.end_call and not (reply.source == SILENCE_TIMEOUT and reply.ended == "interrupted"):
            return _FAREWELLS.get(reply.source, "assistant-ended-call")
        if view.plan.end_call_phrases and _has_phrase(reply.heard, view.plan.end_call_phrases):
            return "assistant-said-end-call-phrase"
    return ""


def end_on_silence(view: View) -> Decide | At | None:
    """Nobody has said anything for too long, and nothing is under way; a last message may say so first."""
    since = quiet_since_ms(view.state)
    if since is None:
        return None
    until = since + view.plan.silence_timeout_ms
    if view.now_ms < until:
        return At(until)
    if not view.plan.silence_timeout_message:
        return _ended(view, "silence-timed-out")
    fixed = Fixed(view.plan.silence_timeout_message, SILENCE_TIMEOUT, end_call=True)
    return Decide("silence-timed-out", fixed_reply(view.state, view.plan, fixed, view.now_ms))


def end_at_last(view: View) -> Decide | At | None:
    """What the hooks on the call's end are for is done, or takes too long."""
    state, run = view.state, view.state.ending
    if run is None:
        return None
    until = run.pts_ms + ENDING_WITHIN_MS
    if not are_done(view) and view.now_ms < until and not _is_asked_to_end_again(state, run):
        return At(until)
    said = _HOOK_SAID if is_said_at_the_end(state) else run.end_reason
    return _ended(view, _HOOK_TRANSFERRED if state.transferred else said, run.end_message)


def _is_asked_to_end_again(state: CallState, run: HookRun) -> bool:
    """By somebody who does not want to wait, or because there is no voice to say a last word with."""
    return len(state.end_reasons) > (run.end_reason in state.end_reasons[:1])


def _has_phrase(heard: str, phrases: tuple[str, ...]) -> bool:
    """Whole words, whatever their case and the punctuation between them."""
    said = f" {_words(heard)} "
    return any(f" {words} " in said for phrase in phrases if (words := _words(phrase)))


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _ended(view: View, reason: str, message: str | None = None) -> Decide | At:
    """First what was begun is given up and its heard part logged; then the call is over.

    One that no assistant took is over for that reason, whoever hangs up.
    """
    state, verdict = view.state, view.plan.verdict
    if verdict is not None and not state.end_reasons:
        reason, message = verdict.reason, verdict.problem or None
    if state.awaited_replies:
        return Decide(reason, give_up(view, "call-ended"))
    closing = close_what_was_interrupted(view)
    if closing is not None:
        return OnlyAt(closing.pts_ms) if isinstance(closing, At) else closing
    hooked = rows_hooks.ending(view, reason, message)
    if hooked is not None:
        return hooked
    ended = CallEnded(pts_ms=max(0, view.now_ms), reason=reason, message=message)
    return Decide(reason, (*give_up(view, "call-ended"), *measured_so_far(view.state), ended))
