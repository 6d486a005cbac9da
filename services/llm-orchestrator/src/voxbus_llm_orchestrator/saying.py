"""Turning texts into numbered say commands."""

from collections.abc import Iterable
from dataclasses import dataclass

from voxbus_contracts.commands import CancelSpeech, ClearPlayback, SaySentence
from voxbus_contracts.events import ReplyGenerated, ReplyStarted
from voxbus_contracts.events.reply import BY_CALLER
from voxbus_llm_orchestrator.decision import DropModel, Out, View
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.sentences import SentenceSplitter
from voxbus_llm_orchestrator.speculation import dropped
from voxbus_llm_orchestrator.state import CallState


@dataclass(frozen=True, slots=True)
class Spoken:
    """Whose words they are, and how they came about; the times belong to the first sentence.

    `hold`: the answer is only being prepared.
    """

    reply: int
    turn: int = 0
    interruptible: bool = True
    model_ms: int = 0
    sentence_ms: int = 0
    asked_pts_ms: int | None = None
    hold: bool = False
    pts_ms: int = 0


@dataclass(frozen=True, slots=True)
class Fixed:
    """A reply whose text is given."""

    text: str
    source: str
    cause: str = ""
    interruptible: bool = True
    end_call: bool = False


def sentences_of(text: str) -> list[str]:
    splitter = SentenceSplitter()
    return [*splitter.push(text), *splitter.flush()]


def say(state: CallState, plan: Plan, spoken: Spoken, texts: Iterable[str]) -> list[Out]:
    """Commands for `texts`; the first sentence that answers a turn carries the anchor of its latency."""
    anchored = any(u.turn == spoken.turn and u.anchor_pts_ms is not None for u in state.utterances.values())
    turn = None if anchored else state.turns.get(spoken.turn)
    outs: list[Out] = []
    for offset, text in enumerate(text for text in texts if text.strip()):
        first = offset == 0
        outs.append(
            SaySentence(
                utterance_seq=state.next_utterance + offset,
                reply=spoken.reply,
                turn=spoken.turn,
                text=text,
                anchor_pts_ms=turn.anchor_pts_ms if turn and first else None,
                reflex="pause" if spoken.interruptible and not plan.num_words else "none",
                interruptible=spoken.interruptible,
                min_voiced_ms=plan.voice_ms,
                hold=spoken.hold,
                asked_pts_ms=spoken.asked_pts_ms if first else None,
                pts_ms=max(0, spoken.pts_ms),
                not_before_pts_ms=_not_before_pts_ms(state, plan) if first else 0,
                model_ms=max(0, spoken.model_ms) if first else 0,
                sentence_ms=max(0, spoken.sentence_ms) if first else 0,
            )
        )
    return outs


def _not_before_pts_ms(state: CallState, plan: Plan) -> int:
    """After the caller broke in the assistant is silent for a while, whatever it has to say."""
    broken_in = (reply.given_up_pts_ms or 0 for reply in state.replies.values() if reply.given_up_reason in BY_CALLER)
    latest = max(broken_in, default=None)
    return 0 if latest is None else latest + plan.backoff_ms


def fixed_reply(state: CallState, plan: Plan, fixed: Fixed, now_ms: int) -> tuple[Out, ...]:
    """A whole reply at once: started, said, generated."""
    number = state.next_reply
    started = ReplyStarted(reply=number, turn=0, source=fixed.source, cause=fixed.cause, pts_ms=max(0, now_ms))
    says = say(state, plan, Spoken(number, interruptible=fixed.interruptible, pts_ms=now_ms), sentences_of(fixed.text))
    first = state.next_utterance
    numbers = tuple(range(first, first + len(says)))
    return (started, *says, ReplyGenerated(reply=number, utterances=numbers, end_call=fixed.end_call))


def give_up(view: View, reason: str) -> tuple[Out, ...]:
    """Nothing that was begun or prepared is said any further: model, voice and playback stop."""
    upto = view.state.next_utterance - 1
    clear = ClearPlayback(
        up_to_utterance_seq=upto, reply=view.state.next_reply - 1, pts_ms=max(0, view.now_ms), reason=reason
    )
    outs: tuple[Out, ...] = (*dropped(view, reason), DropModel(), clear)
    return (*outs, CancelSpeech(up_to_utterance_seq=upto)) if upto else outs
