"""Rows that end the call."""

from voxbus_contracts.events import CallEnded
from voxbus_llm_orchestrator.decision import At, Decide, View
from voxbus_llm_orchestrator.rows_measure import measured_so_far
from voxbus_llm_orchestrator.rows_reply import close_what_was_interrupted
from voxbus_llm_orchestrator.saying import give_up


def end_on_request(view: View) -> Decide | At | None:
    """Somebody with the right to asked for it."""
    return _ended(view, view.state.end_reasons[0]) if view.state.end_reasons else None


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
    until = view.plan.max_duration_ms
    return _ended(view, "exceeded-max-duration") if view.now_ms >= until else At(until)


def end_after_farewell(view: View) -> Decide | At | None:
    """The reply that was to end the call is over, or a phrase that ends it was heard."""
    for reply in view.state.replies.values():
        if not reply.ended:
            continue
        if reply.end_call:
            return _ended(view, "assistant-ended-call")
        heard = reply.heard.lower()
        if any(phrase in heard for phrase in view.plan.end_call_phrases):
            return _ended(view, "assistant-said-end-call-phrase")
    return None


def end_on_silence(view: View) -> Decide | At | None:
    """Nobody has said anything for too long, and nothing is under way."""
    state = view.state
    busy = state.is_caller_speaking or state.open_replies or any(not tool.finished for tool in state.tools.values())
    if not state.started or busy:
        return None
    stretch = state.stretch
    last_ms = max(
        (stretch.stopped_pts_ms or 0) if stretch else 0,
        max((playback.last_pts_ms for playback in state.playbacks.values()), default=0),
    )
    until = last_ms + view.plan.silence_timeout_ms
    return _ended(view, "silence-timed-out") if view.now_ms >= until else At(until)


def _ended(view: View, reason: str) -> Decide | At:
    """First what was begun is given up and its heard part logged; then the call is over."""
    state = view.state
    if state.awaited_replies:
        return Decide(reason, give_up(view, "call-ended"))
    closing = close_what_was_interrupted(view)
    if closing is not None:
        return closing
    ended = CallEnded(pts_ms=max(0, view.now_ms), reason=reason)
    return Decide(reason, (*give_up(view, "call-ended"), *measured_so_far(view.state), ended))
