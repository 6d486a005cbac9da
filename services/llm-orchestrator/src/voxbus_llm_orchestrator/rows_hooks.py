"""Rows that notice the occasion of a hook. The log says that it came, so it comes once, whoever owns the call.

While a tool runs hooks rest: what happens meanwhile is passed over, and a time that comes meanwhile is late.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.events import HookTriggered, TranscriptDismissed
from voxbus_contracts.events.reply import BY_CALLER
from voxbus_contracts.hook import (
    ASSISTANT_INTERRUPTED,
    CUSTOMER_INTERRUPTED,
    ENDING,
    LOW_CONFIDENCE,
    MODEL_TIMEOUT,
    SPEECH_TIMEOUT,
    TIME_ELAPSED,
)
from voxbus_llm_orchestrator.decision import At, Decide, View
from voxbus_llm_orchestrator.hooks import HOOK, HookPlan, is_tool_running
from voxbus_llm_orchestrator.quiet import caller_last_began_ms, quiet_since_ms
from voxbus_llm_orchestrator.rows_supervisor import ASK_BACK
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply
from voxbus_llm_orchestrator.state import CallState, Reply

LOW: Final = "low-confidence"
"""Reason of a transcript that is not taken for what the caller said."""

_FORWARDED: Final = "assistant-forwarded-call"
"""The caller speaks with somebody else by then."""

_INTO_SPEECH_MS: Final = 200
"""Who begins to speak this much later than the caller speaks over the caller; sooner, both began at once."""


@dataclass(frozen=True, slots=True)
class _Occasion:
    """`key` names it on this call; it is there from `due_ms` on, 0 = now. Passed over if a tool runs and it is not
    a time."""

    key: str
    due_ms: int = 0
    reply: int = 0
    is_time: bool = False


def doubt(view: View) -> Decide | None:
    """The recognizer does not trust its own words: they are no turn. A hook deals with it, or we ask again."""
    state, limit = view.state, view.plan.doubted_below
    if limit is None:
        return None
    for seq, final in state.unconsumed:
        if not final.text or final.confidence is None or final.confidence >= limit:
            continue
        dismissed = TranscriptDismissed(transcript_seqs=(seq,), reason=LOW, pts_ms=max(0, view.now_ms))
        is_dealt_with = any(hook.on == LOW_CONFIDENCE and hook.doubts(final.confidence) for hook in view.plan.hooks)
        is_alone = not any(other.text for at, other in state.unconsumed if at != seq) and not state.open_replies
        if is_dealt_with or not is_alone or state.is_caller_speaking:
            return Decide(LOW, (dismissed,))
        asked = fixed_reply(state, view.plan, Fixed(ASK_BACK, "recovery"), view.now_ms)
        return Decide(LOW, (dismissed, *asked), rescue="not-understood")
    return None


def notice(view: View) -> Decide | At | None:
    """The first hook whose occasion has come and is not on the log yet."""
    state, wakes = view.state, list[int]()
    for index, hook in enumerate(view.plan.hooks):
        find = _FINDERS.get(hook.on)
        if find is None or not hook.acts:
            continue
        for occasion in find(view, hook, index):
            if trigger_of(state, index, occasion.key) in state.hooks:
                continue
            if view.now_ms < occasion.due_ms:
                wakes.append(occasion.due_ms)
            elif not is_tool_running(state):
                return Decide("hook-due", (_triggered(view, index, occasion),))
            elif not occasion.is_time:
                return Decide("hook-passed-over", (_triggered(view, index, occasion, passed_over="tool-running"),))
    return At(min(wakes)) if wakes else None


def trigger_of(state: CallState, index: int, key: str) -> str:
    """Each assistant of a call has hooks of its own."""
    whose = f"@{len(state.handoffs)}" if state.handoffs else ""
    return f"{HOOK}:{index}:{key}{whose}"


def ending(view: View, reason: str, message: str | None) -> Decide | None:
    """The call is about to end for this reason: hooks that are for it come first, if it was ever answered."""
    state = view.state
    if not state.started or reason == _FORWARDED:
        return None
    found = [index for index, hook in enumerate(view.plan.hooks) if hook.on == ENDING and hook.is_for(reason)]
    triggered = tuple(
        HookTriggered(
            trigger=trigger_of(state, index, "ending"),
            hook=index,
            on=ENDING,
            handoffs=len(state.handoffs),
            pts_ms=max(0, view.now_ms),
            end_reason=reason,
            end_message=message,
        )
        for index in found
        if view.plan.hooks[index].acts and trigger_of(state, index, "ending") not in state.hooks
    )
    return Decide("hook-due", triggered) if triggered else None


def _triggered(view: View, index: int, occasion: _Occasion, passed_over: str = "") -> HookTriggered:
    return HookTriggered(
        trigger=trigger_of(view.state, index, occasion.key),
        hook=index,
        on=view.plan.hooks[index].on,
        reply=occasion.reply,
        handoffs=len(view.state.handoffs),
        pts_ms=max(0, view.now_ms),
        passed_over=passed_over,
    )


def _time_elapsed(view: View, hook: HookPlan, _index: int) -> Iterator[_Occasion]:
    yield _Occasion("elapsed", view.state.answered_pts_ms + hook.after_ms, is_time=True)


def _caller_silent(view: View, hook: HookPlan, index: int) -> Iterator[_Occasion]:
    """The caller has said nothing for that long, counted from the hook's last time too."""
    state = view.state
    since = quiet_since_ms(state)
    if since is None or state.detached_pts_ms is not None:
        return
    own = (index, len(state.handoffs))
    times = [run.pts_ms for run in state.hooks.values() if (run.hook, run.handoffs) == own]
    after_ms = caller_last_began_ms(state) if hook.is_reset_by_speech else -1
    if sum(1 for at in times if at > after_ms) < hook.at_most:
        due_ms = max(since, *times, 0) + hook.after_ms
        yield _Occasion(f"silence-{len(times) + 1}", due_ms, is_time=True)


def _assistant_interrupted(view: View, _hook: HookPlan, _index: int) -> Iterator[_Occasion]:
    """Not by what a hook had said: its own words would call for more of them."""
    for number, reply in _own_replies(view.state):
        if reply.ended == "interrupted" and reply.given_up_reason in BY_CALLER and reply.source != HOOK:
            yield _Occasion(f"reply-{number}", reply=number)


def _customer_interrupted(view: View, _hook: HookPlan, _index: int) -> Iterator[_Occasion]:
    """The assistant began to answer while the caller was speaking; only the latest of both can be new."""
    state, stretch = view.state, view.state.stretch
    if stretch is None or not state.playbacks:
        return
    seq = max(state.playbacks)
    utterance = state.utterances.get(seq)
    reply = state.replies.get(utterance.reply) if utterance else None
    if reply is None or utterance is None or min(reply.utterances, default=0) != seq:
        return
    began_ms, until_ms = state.playbacks[seq].started_pts_ms, stretch.stopped_pts_ms
    if stretch.started_pts_ms + _INTO_SPEECH_MS <= began_ms and (until_ms is None or began_ms < until_ms):
        yield _Occasion(f"reply-{utterance.reply}", reply=utterance.reply)


def _model_slow(view: View, _hook: HookPlan, _index: int) -> Iterator[_Occasion]:
    """The model has had all the time it has, and is asked again."""
    for number, reply in _own_replies(view.state):
        if reply.retries and reply.retry_reason == "model-slow":
            yield _Occasion(f"reply-{number}", reply=number)


def _own_replies(state: CallState) -> Iterator[tuple[int, Reply]]:
    """Those of the assistant that has the call."""
    first = state.handoffs[-1].first_reply if state.handoffs else 0
    return ((number, reply) for number, reply in state.replies.items() if number >= first)


def _doubted(view: View, hook: HookPlan, _index: int) -> Iterator[_Occasion]:
    state: CallState = view.state
    for seq in state.doubted:
        if seq in state.finals and hook.doubts(state.finals[seq].confidence):
            yield _Occasion(f"transcript-{seq}")


_FINDERS: Final[Mapping[str, Callable[[View, HookPlan, int], Iterator[_Occasion]]]] = {
    TIME_ELAPSED: _time_elapsed,
    SPEECH_TIMEOUT: _caller_silent,
    ASSISTANT_INTERRUPTED: _assistant_interrupted,
    CUSTOMER_INTERRUPTED: _customer_interrupted,
    MODEL_TIMEOUT: _model_slow,
    LOW_CONFIDENCE: _doubted,
}
