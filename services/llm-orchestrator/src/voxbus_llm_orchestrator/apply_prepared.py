"""What logged messages about prepared answers add to the state; one function per message, as in `apply`."""

from dataclasses import replace

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.folding import changed
from voxbus_llm_orchestrator.state import CallState, Speculation
from voxbus_llm_orchestrator.words import words_of


def guessed(state: CallState, final: e.TranscriptFinal) -> CallState:
    """Was the recognizer's last guess of this utterance what it became?"""
    if state.partial_seq != final.transcript_seq or not state.partial_text or final.transcript_seq in state.finals:
        return state
    if words_of(state.partial_text) == words_of(final.text):
        return changed(state, guesses_right=state.guesses_right + 1)
    return changed(state, guesses_wrong=state.guesses_wrong + 1)


def speculated(state: CallState, event: e.ReplySpeculated, _id: str) -> CallState:
    speculation = Speculation(event.turn, event.text, event.context, event.basis, event.pts_ms)
    return _with(changed(state, speculating=event.reply), event.reply, speculation)


def held(state: CallState, command: c.SaySentence) -> CallState:
    """A sentence of it is with the voice."""
    known = state.speculations.get(command.reply)
    if known is None:
        return state
    return _with(state, command.reply, replace(known, utterances=(*known.utterances, command.utterance_seq)))


def given(state: CallState, event: e.ReplyStarted) -> CallState:
    """The turn takes it; its first sentence carries the anchor of the turn's latency."""
    known = replace(state.speculations[event.reply], fate="given")
    state = _with(changed(state, speculating=0), event.reply, known)
    first = min(event.utterances, default=0)
    if first not in state.utterances:
        return state
    utterance = replace(state.utterances[first], anchor_pts_ms=event.anchor_pts_ms)
    return changed(state, utterances={**state.utterances, first: utterance})


def dropped(state: CallState, event: e.ReplyDropped, _id: str) -> CallState:
    known = state.speculations.get(event.reply)
    if known is None:
        return state
    wasted = state.wasted_tokens + event.prompt_tokens + event.completion_tokens
    return _with(changed(state, speculating=0, wasted_tokens=wasted), event.reply, replace(known, fate="dropped"))


def _with(state: CallState, number: int, speculation: Speculation) -> CallState:
    return changed(state, speculations={**state.speculations, number: speculation})
