"""`apply(state, message)`: what a logged message adds to the state. Never decides; one function per message."""

from dataclasses import replace
from typing import Final as Constant

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator import apply_prepared
from voxbus_llm_orchestrator.apply_moves import MOVE_CHANGES
from voxbus_llm_orchestrator.apply_playback import PLAYBACK_CHANGES
from voxbus_llm_orchestrator.apply_tools import TOOL_CHANGES
from voxbus_llm_orchestrator.folding import Changes, changed, changed_reply, with_entry
from voxbus_llm_orchestrator.state import (
    CallState,
    Final,
    HookRun,
    Item,
    Key,
    Reply,
    Stretch,
    Turn,
    Utterance,
)


def apply(state: CallState, message: Message, event_id: str = "") -> CallState:
    """The state after `message`; messages that say nothing to the conversation leave it as it is."""
    change = _CHANGES.get(type(message))
    return change(state, message, event_id) if change else state


# --- transport and life ---


def _call_started(state: CallState, event: e.CallStarted, _id: str) -> CallState:
    return changed(state, started=True, answered_pts_ms=event.pts_ms)


def _call_ended(state: CallState, _event: e.CallEnded, _id: str) -> CallState:
    return changed(state, ended=True)


def _attached(state: CallState, event: e.MediaAttached, _id: str) -> CallState:
    if event.attachment < state.attachment:
        return state
    return changed(
        state,
        attachment=event.attachment,
        attached_pts_ms=event.pts_ms,
        detached_pts_ms=None,
        detached_clean=False,
    )


def _detached(state: CallState, event: e.MediaDetached, _id: str) -> CallState:
    if event.attachment != state.attachment:
        return state
    return changed(state, detached_pts_ms=event.pts_ms, detached_clean=event.clean)


def _end_ordered(state: CallState, command: c.EndCall, _id: str) -> CallState:
    message = state.end_message if state.end_reasons else command.message
    return changed(state, end_reasons=(*state.end_reasons, command.reason), end_message=message)


# --- the caller ---


def _speech_started(state: CallState, event: e.SpeechStarted, _id: str) -> CallState:
    if event.speech_seq in state.stretches:
        return state
    return changed(state, stretches=with_entry(state.stretches, event.speech_seq, Stretch(event.pts_ms)))


def _speech_stopped(state: CallState, event: e.SpeechStopped, _id: str) -> CallState:
    known = state.stretches.get(event.speech_seq)
    started = known.started_pts_ms if known else max(0, event.pts_ms - event.voiced_ms)
    stretch = Stretch(started, event.pts_ms, event.voiced_ms, finished=event.finished)
    return changed(state, stretches=with_entry(state.stretches, event.speech_seq, stretch))


def _speech_paused(state: CallState, event: e.SpeechPaused, _id: str) -> CallState:
    known = state.stretches.get(event.speech_seq)
    if known is None or known.stopped_pts_ms is not None:
        return state
    paused = replace(known, paused_pts_ms=event.pts_ms)
    return changed(state, stretches=with_entry(state.stretches, event.speech_seq, paused))


def _speech_judged(state: CallState, event: e.SpeechJudged, _id: str) -> CallState:
    return changed(state, judged=with_entry(state.judged, event.speech_seq, event.finished))


def _partial(state: CallState, event: e.TranscriptPartial, _id: str) -> CallState:
    if event.transcript_seq in state.finals or event.transcript_seq < state.partial_seq:
        return state
    upto_ms = event.end_pts_ms
    return changed(state, partial_seq=event.transcript_seq, partial_text=event.text, partial_end_pts_ms=upto_ms)


def _final(state: CallState, event: e.TranscriptFinal, _id: str) -> CallState:
    state = apply_prepared.guessed(state, event)
    final = Final(event.text.strip(), event.speech_seq, event.end_pts_ms, event.confidence, event.language)
    cleared = event.transcript_seq >= state.partial_seq
    return changed(
        state,
        finals=with_entry(state.finals, event.transcript_seq, final),
        partial_seq=max(state.partial_seq, event.transcript_seq),
        partial_text="" if cleared else state.partial_text,
    )


def _language_detected(state: CallState, event: e.LanguageDetected, _id: str) -> CallState:
    return changed(state, language=event.language)


def _keys_pressed(state: CallState, event: e.DtmfReceived, _id: str) -> CallState:
    return changed(state, keys=(*state.keys, *(Key(digit, event.pts_ms) for digit in event.digits)))


# --- turns and replies: ours ---


def _dismissed(state: CallState, event: e.TranscriptDismissed, _id: str) -> CallState:
    doubted = event.transcript_seqs if event.reason == "low-confidence" else ()
    consumed = state.consumed | set(event.transcript_seqs)
    return changed(state, consumed=consumed, doubted=(*state.doubted, *doubted))


def _committed(state: CallState, event: e.TurnCommitted, _id: str) -> CallState:
    turn = Turn(
        event.text,
        event.anchor_pts_ms,
        event.endpointing_ms,
        event.recognition_ms,
        event.pts_ms,
        is_spoken=not event.keys,
    )
    items = (*state.items, Item("turn", event.turn)) if event.text else state.items
    return changed(
        state,
        turns=with_entry(state.turns, event.turn, turn),
        consumed=state.consumed | set(event.transcript_seqs),
        keys_taken=state.keys_taken + event.keys,
        items=items,
    )


def _advised(state: CallState, event: e.TurnWaitAdvised, _id: str) -> CallState:
    return changed(state, advice=with_entry(state.advice, event.transcript_seq, event.wait_ms))


def _measured(state: CallState, event: e.TurnMeasured, _id: str) -> CallState:
    known = state.turns.get(event.turn)
    return changed(state, turns=with_entry(state.turns, event.turn, replace(known, measured=True))) if known else state


def _reply_started(state: CallState, event: e.ReplyStarted, _id: str) -> CallState:
    if event.reply in state.speculations:
        state = apply_prepared.given(state, event)
    reply = Reply(event.turn, event.source, event.pts_ms, event.utterances, cause=event.cause)
    return changed(
        state,
        replies=with_entry(state.replies, event.reply, reply),
        items=(*state.items, Item("reply", event.reply)),
        carried_out=state.carried_out | {event.cause} if event.cause else state.carried_out,
    )


def _reply_retried(state: CallState, event: e.ReplyRetried, _id: str) -> CallState:
    known = state.replies.get(event.reply)
    retries = known.retries + 1 if known else 0
    state = changed_reply(state, event.reply, retries=retries, retry_reason=event.reason, retried_pts_ms=event.pts_ms)
    return changed(state, stand_in=max(state.stand_in, event.stand_in))


def _reply_generated(state: CallState, event: e.ReplyGenerated, _id: str) -> CallState:
    return changed_reply(state, event.reply, generated=True, end_call=event.end_call)


def _reply_finished(state: CallState, event: e.ReplyFinished, _id: str) -> CallState:
    return changed_reply(state, event.reply, ended="finished", heard=event.heard, ended_pts_ms=event.pts_ms)


def _reply_interrupted(state: CallState, event: e.ReplyInterrupted, _id: str) -> CallState:
    return changed_reply(state, event.reply, ended="interrupted", heard=event.heard, ended_pts_ms=event.pts_ms)


def _hook_triggered(state: CallState, event: e.HookTriggered, _id: str) -> CallState:
    run = HookRun(
        event.hook,
        event.on,
        event.pts_ms,
        event.reply,
        event.handoffs,
        event.passed_over,
        event.end_reason,
        event.end_message,
    )
    return changed(state, hooks=with_entry(state.hooks, event.trigger, run))


def _message_added(state: CallState, event: e.MessageAdded, _id: str) -> CallState:
    item = Item("added", role=event.role, content=event.content, cause=event.cause)
    return changed(state, items=(*state.items, item), carried_out=state.carried_out | {event.cause})


def _say(state: CallState, command: c.SaySentence, _id: str) -> CallState:
    utterance = Utterance(
        command.reply,
        command.turn,
        command.text,
        command.anchor_pts_ms,
        command.interruptible,
        command.model_ms,
        command.sentence_ms,
        command.asked_pts_ms,
        command.pts_ms,
        command.not_before_pts_ms,
        command.repeats,
        command.keys,
    )
    state = changed(state, utterances=with_entry(state.utterances, command.utterance_seq, utterance))
    known = state.replies.get(command.reply)
    if known is not None:
        return changed_reply(state, command.reply, utterances=(*known.utterances, command.utterance_seq))
    return apply_prepared.held(state, command)


def _clear(state: CallState, command: c.ClearPlayback, _id: str) -> CallState:
    replies = {
        number: replace(reply, given_up_pts_ms=command.pts_ms, given_up_reason=command.reason)
        if number <= command.reply and not reply.ended and reply.given_up_pts_ms is None
        else reply
        for number, reply in state.replies.items()
    }
    upto = max(state.clear_ordered_upto, command.up_to_utterance_seq)
    return changed(state, replies=replies, clear_ordered_upto=upto)


def _resume(state: CallState, command: c.ResumePlayback, _id: str) -> CallState:
    return changed(state, forgiven_seq=max(state.forgiven_seq, command.speech_seq))


_CHANGES: Constant[Changes] = {
    e.CallStarted: _call_started,
    e.CallEnded: _call_ended,
    e.MediaAttached: _attached,
    e.MediaDetached: _detached,
    c.EndCall: _end_ordered,
    e.SpeechStarted: _speech_started,
    e.SpeechPaused: _speech_paused,
    e.SpeechStopped: _speech_stopped,
    e.SpeechJudged: _speech_judged,
    e.DtmfReceived: _keys_pressed,
    e.TranscriptPartial: _partial,
    e.TranscriptFinal: _final,
    e.TranscriptDismissed: _dismissed,
    e.LanguageDetected: _language_detected,
    e.TurnCommitted: _committed,
    e.TurnWaitAdvised: _advised,
    e.TurnMeasured: _measured,
    e.ReplySpeculated: apply_prepared.speculated,
    e.ReplyDropped: apply_prepared.dropped,
    e.ReplyStarted: _reply_started,
    e.ReplyRetried: _reply_retried,
    e.ReplyGenerated: _reply_generated,
    e.ReplyFinished: _reply_finished,
    e.ReplyInterrupted: _reply_interrupted,
    e.MessageAdded: _message_added,
    e.HookTriggered: _hook_triggered,
    c.SaySentence: _say,
    c.ClearPlayback: _clear,
    c.ResumePlayback: _resume,
    **PLAYBACK_CHANGES,
    **TOOL_CHANGES,
    **MOVE_CHANGES,
}

INTERESTS: Constant[frozenset[str]] = frozenset(message.name() for message in _CHANGES)
"""Messages the orchestrator reads."""
