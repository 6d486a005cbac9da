"""Answers prepared before the caller's turn is over: what they answer, whether they still fit, what may go ahead. Pure.

A prepared answer fits a turn if it was prepared for that turn, the same words and the same conversation. Its number and
its sentences are logged like any answer's, so nothing is said twice or lost whoever owns the call; but until the turn
takes it, the voice's sound is held, and whatever else the model says of it waits in the process that asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from voxbus_contracts.commands import ClearPlayback
from voxbus_contracts.events import ReplyDropped, ReplyStarted
from voxbus_llm_orchestrator.asking import Heard, SentenceReady
from voxbus_llm_orchestrator.decision import DropModel, Out, View
from voxbus_llm_orchestrator.state import CallState
from voxbus_llm_orchestrator.words import words_of

HELD_CHARACTERS: Final = 80
"""So much is given to the voice ahead: five seconds of speech, more than any turn's end takes to be decided."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the caller was understood to have said since the last turn."""

    text: str
    basis: Literal["partial", "final"]


def understood(state: CallState) -> SoFar:
    """Finals no turn has taken, and what the recognizer guesses of the rest."""
    texts = [final.text for _, final in state.unconsumed if final.text]
    guessed = state.guess
    if guessed:
        texts.append(guessed)
    is_settled = not guessed and not state.is_caller_speaking and not state.awaits_final
    return SoFar(" ".join(texts), "final" if is_settled else "partial")


def context_version(state: CallState) -> int:
    """Grows with everything that is added to what the model is told."""
    ended = sum(1 for reply in state.replies.values() if reply.ended)
    return len(state.items) + ended + sum(1 for tool in state.tools.values() if tool.finished)


def misfit(state: CallState) -> str:
    """Why the answer that is being prepared cannot be given any more; "" = it still may, or none is being prepared."""
    if not state.speculating:
        return ""
    prepared = state.speculations[state.speculating]
    if prepared.turn != state.next_turn:
        return "turn-not-answered-by-it"
    if state.open_replies:
        return "something-else-is-said"
    if prepared.context != context_version(state):
        return "conversation-changed"
    if words_of(prepared.text) != words_of(understood(state).text):
        return "caller-went-on"
    return ""


def answer_to(view: View, turn: int, text: str, anchor_pts_ms: int) -> ReplyStarted:
    """The answer to a turn that is about to be committed: the prepared one if it fits, else a new one."""
    state = view.state
    started = ReplyStarted(reply=state.next_reply, turn=turn, source="model", pts_ms=max(0, view.now_ms))
    number = state.speculating
    if not number:
        return started
    prepared = state.speculations[number]
    fits = prepared.turn == turn and prepared.context == context_version(state)
    if not fits or words_of(prepared.text) != words_of(text):
        return started
    held = prepared.utterances
    anchor = anchor_pts_ms if held else None
    return started.model_copy(update={"reply": number, "utterances": held, "anchor_pts_ms": anchor})


def dropped(view: View, reason: str) -> tuple[Out, ...]:
    """The prepared answer, if there is one, is not wanted: model and voice stop, and what it cost is logged."""
    state, number = view.state, view.state.speculating
    if not number:
        return ()
    prepared = state.speculations[number]
    upto = max(prepared.utterances, default=0)
    is_asked = view.asking == number
    drop = ReplyDropped(
        reply=number,
        turn=prepared.turn,
        reason=reason,
        up_to_utterance_seq=upto,
        prompt_tokens=view.spent.prompt_tokens if is_asked else 0,
        completion_tokens=view.spent.completion_tokens if is_asked else 0,
        characters=sum(len(state.utterances[seq].text) for seq in prepared.utterances),
        pts_ms=max(0, view.now_ms),
    )
    outs: tuple[Out, ...] = (DropModel(), drop) if is_asked else (drop,)
    if not upto:
        return outs
    return (*outs, ClearPlayback(up_to_utterance_seq=upto, pts_ms=max(0, view.now_ms), reason="not-given"))


def may_go_ahead(state: CallState, reply: int, heard: Heard, waiting: Sequence[Heard]) -> bool:
    """Whether this part of an answer may be acted on now. Of one that is being prepared only the first sentences may;
    tools, later sentences and the end wait for the turn, in order.
    """
    if reply != state.speculating:
        return True
    said = sum(len(state.utterances[seq].text) for seq in state.speculations[reply].utterances)
    return isinstance(heard, SentenceReady) and not waiting and said < HELD_CHARACTERS
