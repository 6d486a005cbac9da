"""The row for a line on which nobody speaks: idle messages."""

from typing import Final

from voxbus_llm_orchestrator.decision import At, Decide, View
from voxbus_llm_orchestrator.plan import Idle
from voxbus_llm_orchestrator.quiet import caller_last_began_ms, quiet_since_ms
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply
from voxbus_llm_orchestrator.state import CallState

_CAUSE: Final = "idle:0"


def say_something_idle(view: View) -> Decide | At | None:
    """The caller has been silent for long, and was not asked often enough yet whether somebody is there."""
    state, idle = view.state, view.plan.idle
    since = quiet_since_ms(state) if idle else None
    if idle is None or since is None or state.detached_pts_ms is not None:
        return None
    count = _times_said(state, idle)
    if count >= idle.at_most:
        return None
    until = since + idle.after_ms
    if view.now_ms < until:
        return At(until)
    fixed = Fixed(idle.texts[count % len(idle.texts)], "idle-message", cause=_CAUSE)
    return Decide("caller-idle", fixed_reply(state, view.plan, fixed, view.now_ms))


def _times_said(state: CallState, idle: Idle) -> int:
    since_ms = caller_last_began_ms(state) if idle.is_reset_by_speech else -1
    return sum(1 for reply in state.replies.values() if reply.cause == _CAUSE and reply.started_pts_ms > since_ms)
