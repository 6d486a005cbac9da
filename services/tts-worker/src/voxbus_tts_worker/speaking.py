"""What one call has still to say. Pure.

Sentences are spoken one at a time, the lowest number first, each once. A cancel or clear means "all up to n" for ever,
so messages may come in any order and more than once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from voxbus_contracts.commands import CancelSpeech, ClearPlayback, SaySentence
from voxbus_contracts.events import PlaybackCleared, PlaybackFinished, ReplyStarted, SpeechSynthesized
from voxbus_contracts.message import Message


@dataclass(frozen=True, slots=True)
class Sentence:
    """One utterance. `arrived_ms` is on the shell's clock; `is_repeat`: a predecessor may have begun with it.
    `is_held`: it is not known yet whether anybody will hear it. `keys`: their tones in place of words.
    """

    utterance_seq: int
    text: str
    arrived_ms: float = 0.0
    traceparent: str = ""
    is_repeat: bool = False
    is_held: bool = False
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Speaking:
    """`waiting` by number; `over`: numbers above `cancelled_upto` that must not be spoken any more.
    `released`: held ones that may be heard.
    """

    waiting: tuple[Sentence, ...] = ()
    running: Sentence | None = None
    cancelled_upto: int = 0
    over: frozenset[int] = frozenset()
    released: frozenset[int] = frozenset()


def said(state: Speaking, sentence: Sentence) -> Speaking:
    """A sentence is to be spoken; the first of each number counts."""
    seq = sentence.utterance_seq
    running = state.running is not None and state.running.utterance_seq == seq
    waiting = any(other.utterance_seq == seq for other in state.waiting)
    if running or waiting or seq in state.over or seq <= state.cancelled_upto:
        return state
    return replace(state, waiting=tuple(sorted((*state.waiting, sentence), key=lambda each: each.utterance_seq)))


def cancelled(state: Speaking, upto: int) -> Speaking:
    """All up to a number fall silent; if one of them is running, it must be stopped: nothing runs in the new state."""
    if upto <= state.cancelled_upto:
        return state
    running = state.running
    return replace(
        state,
        waiting=tuple(sentence for sentence in state.waiting if sentence.utterance_seq > upto),
        running=running if running is not None and running.utterance_seq > upto else None,
        cancelled_upto=upto,
        over=frozenset(seq for seq in state.over if seq > upto),
    )


def over(state: Speaking, seq: int) -> Speaking:
    """A sentence is on the bus, or heard. One that is running here is brought to its end all the same."""
    if seq <= state.cancelled_upto:
        return state
    waiting = tuple(sentence for sentence in state.waiting if sentence.utterance_seq != seq)
    return replace(state, waiting=waiting, over=state.over | {seq})


def is_wasted(state: Speaking, sentence: Sentence) -> bool | None:
    """Was it made for nothing: an answer that was prepared and not given? None = that is still open."""
    if not sentence.is_held or sentence.utterance_seq in state.released:
        return False
    return True if sentence.utterance_seq <= state.cancelled_upto else None


def begun(state: Speaking) -> Speaking:
    """The next sentence runs, if there is one and none runs yet."""
    if state.running is not None or not state.waiting:
        return state
    return replace(state, running=state.waiting[0], waiting=state.waiting[1:])


def ended(state: Speaking) -> Speaking:
    """The running sentence is on the bus."""
    if state.running is None:
        return state
    return replace(over(state, state.running.utterance_seq), running=None)


def heard(state: Speaking, message: Message | None, arrived_ms: float, traceparent: str = "") -> Speaking:
    """What a message of the call changes; others change nothing."""
    match message:
        case SaySentence():
            sentence = Sentence(
                message.utterance_seq, message.text, arrived_ms, traceparent, is_held=message.hold, keys=message.keys
            )
            return said(state, sentence)
        case ReplyStarted():
            return replace(state, released=state.released | set(message.utterances)) if message.utterances else state
        case CancelSpeech() | ClearPlayback() | PlaybackCleared():
            return cancelled(state, message.up_to_utterance_seq)
        case SpeechSynthesized() | PlaybackFinished():
            return over(state, message.utterance_seq)
        case _:
            return state


def resumed(history: Iterable[tuple[Message | None, str]], now_ms: float) -> Speaking:
    """What is left to say after the (message, traceparent) of predecessors: neither cancelled nor on the bus yet."""
    state = Speaking()
    for message, traceparent in history:
        state = heard(state, message, now_ms, traceparent)
    return replace(state, waiting=tuple(replace(sentence, is_repeat=True) for sentence in state.waiting))
