"""Where the time of a turn went: the parts of v2v, one after the other, from marks on the audio clock. Pure.

A part is the time between two marks that follow each other on the way to the first sound. What was done ahead, before
a mark that comes before it on that way (a model asked while the turn's end was still being decided), took no time of
the caller's and counts 0. So the parts are never negative and add up to the whole, whatever the order of the marks.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from voxbus_contracts.events import TurnMeasured
from voxbus_llm_orchestrator.state import CallState, Playback, Reply

PARTS: Final[tuple[str, ...]] = ("endpointing", "recognition", "tools", "model", "sentence", "voice", "bus", "playout")
"""docs/latency.md says what each holds."""

Mark = tuple[str, float]
"""A part, and when it is over, ms on the audio clock."""


def waterfall(since_ms: float, until_ms: float, marks: Iterable[Mark]) -> dict[str, float]:
    """Parts, ms; what is left behind the last mark is playout. A part may come several times."""
    parts: dict[str, float] = dict.fromkeys(PARTS, 0.0)
    at_ms = since_ms
    for part, mark_ms in marks:
        reached_ms = min(max(at_ms, mark_ms), until_ms)
        parts[part] += reached_ms - at_ms
        at_ms = reached_ms
    parts["playout"] += until_ms - at_ms
    return {part: round(ms, 1) for part, ms in parts.items()}


def measured_turn(state: CallState, turn: int) -> TurnMeasured | None:
    """What is known now of a turn's latency; None as long as nothing of its answer has sounded."""
    first = _first_sound(state, turn)
    if first is None:
        return None
    playback = state.playbacks[first]
    v2v_ms = playback.v2v_ms or 0.0
    since_ms = _left_ms(playback) - v2v_ms
    measured = TurnMeasured(turn=turn, v2v_ms=v2v_ms, parts=_parts(state, turn, first, since_ms))
    answer = _answer_after_tools(state, turn, first)
    if answer is None:
        return measured
    answer_ms = round(_left_ms(state.playbacks[answer]) - since_ms, 1)
    parts = _parts(state, turn, answer, since_ms)
    return measured.model_copy(update={"answer_ms": answer_ms, "answer_parts": parts})


def is_settled(state: CallState, turn: int) -> bool:
    """Nothing that belongs to the turn's latency is still to come."""
    if turn < max(state.turns):
        return True
    replies = _replies(state, turn)
    if not replies:
        return False
    number, last = replies[-1]
    if last.ended == "interrupted" or (last.tools and _was_answered_elsewhere(state, number, last)):
        return True
    if not last.generated or (last.tools and not last.end_call):
        return False
    needed = {_first_sound(state, turn), *last.utterances[:1]} - {None}
    return bool(last.ended) or all(seq in state.playbacks and seq in state.voiced for seq in needed)


def _was_answered_elsewhere(state: CallState, number: int, reply: Reply) -> bool:
    """What its tools found was taken along by an answer that belongs to no turn, to a message from outside."""
    are_done = all(state.tools[each].finished for each in reply.tools if each in state.tools)
    later = (other for at, other in state.replies.items() if at > number and not other.turn)
    return are_done and any(other.source == "model" and other.ended for other in later)


def endpointing_until_ms(state: CallState, turn: int) -> float:
    """When the silence was long enough, on the audio clock."""
    known = state.turns[turn]
    return min(known.anchor_pts_ms + known.endpointing_ms, known.pts_ms)


def since_pts_ms(state: CallState, measured: TurnMeasured) -> float:
    """When the caller's last voiced sample arrived, on the audio clock."""
    first = _first_sound(state, measured.turn)
    if first is None:
        return float(state.turns[measured.turn].anchor_pts_ms)
    return _left_ms(state.playbacks[first]) - measured.v2v_ms


def _replies(state: CallState, turn: int) -> list[tuple[int, Reply]]:
    return [(number, reply) for number, reply in sorted(state.replies.items()) if reply.turn == turn]


def _first_sound(state: CallState, turn: int) -> int | None:
    """The utterance with which the caller's waiting was over."""
    for _, reply in _replies(state, turn):
        for seq in reply.utterances:
            playback = state.playbacks.get(seq)
            if playback is not None and playback.v2v_ms is not None:
                return seq
    return None


def _answer_after_tools(state: CallState, turn: int, first: int) -> int | None:
    """The first utterance said with the result of a tool, when one before the tool sounded already."""
    replies = _replies(state, turn)
    _, last = replies[-1]
    if len(replies) < 2 or first in last.utterances or last.source != "tool" or last.tools:
        return None
    seq = next(iter(last.utterances), None)
    return seq if seq in state.playbacks else None


def _left_ms(playback: Playback) -> float:
    return playback.started_pts_ms if playback.left_pts_ms is None else playback.left_pts_ms


def _parts(state: CallState, turn: int, seq: int, since_ms: float) -> dict[str, float]:
    return waterfall(
        since_ms, _left_ms(state.playbacks[seq]), (*_until_asked(state, turn, seq), *_until_heard(state, seq))
    )


def _until_asked(state: CallState, turn: int, seq: int) -> list[Mark]:
    """From the caller's silence to the model that made the utterance: turn's end, and what tools came before."""
    known = state.turns[turn]
    marks: list[Mark] = [("endpointing", endpointing_until_ms(state, turn)), ("recognition", known.pts_ms)]
    replies = [reply for number, reply in _replies(state, turn) if number <= state.utterances[seq].reply]
    for asked, answered in pairwise(replies):
        if asked.tools:
            marks += [("model", _decisive_request_ms(state, asked.tools)), ("tools", answered.started_pts_ms)]
    return marks


def _decisive_request_ms(state: CallState, call_ids: Sequence[str]) -> float:
    """When the tool was asked for that answered last."""
    runs = (state.tools[call_id] for call_id in call_ids)
    return max(runs, key=lambda run: run.requested_pts_ms + run.duration_ms).requested_pts_ms


def _until_heard(state: CallState, seq: int) -> list[Mark]:
    """From the model's first token to media-ingress. What is known of the voice is known from its far end."""
    utterance, playback, voiced = state.utterances[seq], state.playbacks[seq], state.voiced.get(seq)
    asked_ms = utterance.asked_pts_ms
    if asked_ms is None:
        asked_ms = state.replies[utterance.reply].started_pts_ms
    token_ms = asked_ms + utterance.model_ms
    said_ms = token_ms + utterance.sentence_ms
    arrived_ms = _left_ms(playback) - playback.waited_ms
    made_ms = arrived_ms - playback.voice_bus_ms
    marks: list[Mark] = [("model", token_ms), ("sentence", said_ms)]
    if voiced is not None:
        committed = state.turns.get(utterance.turn)
        if committed is not None and said_ms + voiced.first_audio_ms <= committed.pts_ms:
            return [*marks, ("bus", arrived_ms)]  # held here: what arrived last is the word that it may be heard
        marks.append(("bus", made_ms - voiced.first_audio_ms))
    return [*marks, ("voice", made_ms), ("bus", arrived_ms)]
