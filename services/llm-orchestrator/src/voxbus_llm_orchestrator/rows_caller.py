"""Rows about the caller's speech: interruption, and the end of a turn."""

from voxbus_contracts.commands import ResumePlayback
from voxbus_contracts.events import ReplyStarted, TurnCommitted
from voxbus_llm_orchestrator.decision import AskEndpointing, At, Decide, View
from voxbus_llm_orchestrator.endpointing import TurnSoFar, endpoint, rule_for
from voxbus_llm_orchestrator.plan import (
    ADVISED_WITHIN_MS,
    AWAIT_FINAL_MS,
    DECIDE_WITHIN_MS,
    NOT_UNDERSTOOD_AFTER_MS,
    NOT_UNDERSTOOD_VOICED_MS,
)
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply, give_up
from voxbus_llm_orchestrator.state import CallState
from voxbus_llm_orchestrator.turn_so_far import turn_so_far

ASK_BACK = "Sorry, I did not catch that. Could you say it again?"
_ASK_BACK_AT_MOST = 2


def interrupt(view: View) -> Decide | At | None:
    """The caller speaks while the assistant answers: words decide, or speech that goes on; then all is cleared."""
    state = view.state
    stretch = state.stretch
    replies = [number for number, reply in state.open_replies if reply.given_up_pts_ms is None]
    if not replies or stretch is None or not _is_interruptible(state):
        return None
    if max(state.stretches) <= state.forgiven_seq:
        return None
    words = _words_said(state)
    if words and words >= view.plan.num_words:
        return Decide("caller-spoke", give_up(view, "caller-spoke"))
    if not state.is_caller_speaking or view.plan.num_words:
        return None
    until = stretch.started_pts_ms + max(view.plan.voice_ms, DECIDE_WITHIN_MS)
    return Decide("caller-goes-on-speaking", give_up(view, "caller-spoke")) if view.now_ms >= until else At(until)


def forgive(view: View) -> Decide | None:
    """It was a cough, or too few words: the assistant goes on with the next sample."""
    state = view.state
    if not state.is_paused or state.is_caller_speaking or state.awaits_final or not state.stretches:
        return None
    seq = max(state.stretches)
    if seq <= state.forgiven_seq or (_words_said(state) and not view.plan.num_words):
        return None
    return Decide("nothing-said", (ResumePlayback(reason="nothing-said", speech_seq=seq),))


def commit(view: View) -> Decide | At | None:
    """The caller is silent long enough and was understood: it is the assistant's turn."""
    state = view.state
    if not _is_callers_turn(state) or not any(final.text for _, final in state.unconsumed):
        return None
    so_far = turn_so_far(state)
    anchor = so_far.ended_pts_ms
    wait = endpoint(view.plan.endpointing, so_far)
    needed = max(wait.ms, view.plan.wait_ms)
    until = anchor + max(needed, _await_ms(view, so_far))
    if view.now_ms < until:
        return At(until)
    waited = max(needed, view.now_ms - anchor)
    turn = state.next_turn
    committed = TurnCommitted(
        turn=turn,
        text=so_far.text,
        transcript_seqs=tuple(seq for seq, _ in state.unconsumed),
        anchor_pts_ms=anchor,
        pts_ms=view.now_ms,
        reason=wait.reason,
        endpointing_ms=needed,
        recognition_ms=waited - needed,
    )
    started = ReplyStarted(reply=state.next_reply, turn=turn, source="model", pts_ms=view.now_ms)
    return Decide("silence-after-final", (committed, started))


def ask_endpointing_server(view: View) -> Decide | None:
    """The customer's own endpointing server is to say how long to wait after these words."""
    state, plan = view.state, view.plan.endpointing
    if not plan.asks_server or not _is_callers_turn(state) or state.awaits_final:
        return None
    seq = state.latest_words
    if not seq or seq in state.advice or seq == view.advising or rule_for(plan, turn_so_far(state)) is not None:
        return None
    return Decide("endpointing-server-asked", (AskEndpointing(seq),))


def _await_ms(view: View, so_far: TurnSoFar) -> int:
    """After the last voiced sample: how long answers of others, who are still thinking, are waited for."""
    state, plan = view.state, view.plan.endpointing
    if state.awaits_final:
        return AWAIT_FINAL_MS
    unadvised = plan.asks_server and state.latest_words not in state.advice and rule_for(plan, so_far) is None
    return ADVISED_WITHIN_MS if unadvised else 0


def _is_callers_turn(state: CallState) -> bool:
    """The caller has fallen silent and nobody answers yet."""
    return state.started and not state.open_replies and not state.is_caller_speaking


def ask_back(view: View) -> Decide | At | None:
    """The caller spoke, the recognizer made nothing of it: a silent line would be a bug."""
    state = view.state
    finals = state.unconsumed
    stretch = state.stretch
    if not finals or any(final.text for _, final in finals) or state.open_replies or not state.started:
        return None
    if stretch is None or stretch.stopped_pts_ms is None or stretch.voiced_ms < NOT_UNDERSTOOD_VOICED_MS:
        return None
    until = stretch.stopped_pts_ms + max(NOT_UNDERSTOOD_AFTER_MS, view.plan.wait_ms)
    if view.now_ms < until:
        return At(until)
    turn = state.next_turn
    committed = TurnCommitted(
        turn=turn,
        text="",
        transcript_seqs=tuple(seq for seq, _ in finals),
        anchor_pts_ms=stretch.stopped_pts_ms,
        pts_ms=view.now_ms,
        reason="not-understood",
        endpointing_ms=view.now_ms - stretch.stopped_pts_ms,
    )
    latest = [reply.source for _, reply in sorted(state.replies.items())][-_ASK_BACK_AT_MOST:]
    if latest == ["recovery"] * _ASK_BACK_AT_MOST:
        return Decide("not-understood-again", (committed,))
    answer = fixed_reply(state, view.plan, Fixed(ASK_BACK, "recovery"), view.now_ms)
    return Decide("not-understood", (committed, *answer))


def _is_interruptible(state: CallState) -> bool:
    """What sounds or is about to sound may be interrupted; before the first sound everything may."""
    waiting = [seq for _, reply in state.open_replies for seq in reply.utterances]
    return all(state.utterances[seq].interruptible for seq in waiting)


def _words_said(state: CallState) -> int:
    """Words recognized since the last turn was committed, partial ones included."""
    texts = [final.text for _, final in state.unconsumed]
    if state.partial_seq not in state.finals:
        texts.append(state.partial_text)
    return sum(len(text.split()) for text in texts)
