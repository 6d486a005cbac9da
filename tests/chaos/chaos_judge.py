"""Whether a call came through: nothing lost, nothing twice, and how long the line was silent beyond the usual. Pure."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chaos_talk import MS_PER_CHARACTER, Exchange, Talk

from voxbus_audio import peak
from voxbus_llm_orchestrator.rows_supervisor import FILLERS

LOUD: Final = 1_000
NORMAL_END: Final = "customer-ended-call"
SENTENCE_LOSS_MS: Final = 250
"""An answer may sound this much shorter or longer than its text: blanks between sentences, a join after a takeover."""
_BYTES_PER_MS: Final = 32
_FRAME_BYTES: Final = 640
_COSTS: Final = ("transport", "transcriber", "model", "voice", "vapi")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one call left behind. `audio`: s since the caller's first frame, sound; `log`: name, payload, in order."""

    log: Sequence[tuple[str, Mapping[str, Any]]]
    record: Mapping[str, Any]
    audio: Sequence[tuple[float, bytes]]
    booked: Sequence[tuple[str, str]]
    """(idempotency key, parcel) of each request the tool's server saw."""

    away_ms: Sequence[tuple[float, float]] = ()
    """When the caller's own line was down, on the caller's clock: what was said into it nobody could hear."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an ended call, once it is complete or was waited for long enough. `tracks`: s16le, 16 kHz."""

    recording: Mapping[str, Any] | None
    """Payload of the last recording.stored."""

    tracks: Mapping[str, bytes]
    """`customer` and `assistant`, as they were fetched."""

    archived_upto: int
    """Place in the stream of the last message in the call's archive; 0 = there is none."""

    ended_at: int
    """Place in the stream of the call's end."""

    cost_rows: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Silence:
    """One answer as it was heard: `late_ms` from the question's end to its first sound, `hole_ms` the worst inside."""

    asked_ms: int
    late_ms: float
    hole_ms: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What one call lost or had twice."""

    words_lost: int = 0
    words_doubled: int = 0
    sentences_lost: int = 0
    sentences_doubled: int = 0
    effects_doubled: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


def tally_of(talk: Talk, seen: Evidence) -> Tally:
    """Counted as `faults_of` judges: what was said into a dead line is left out."""
    wanted, words = _wanted_and_heard(talk, seen)
    lost, doubled = Counter(wanted) - Counter(words), Counter(words) - Counter(wanted)
    heard = _heard(seen)
    answers = [exchange.answer for exchange in talk.exchanges if exchange not in excused(talk, seen.away_ms)]
    told = Counter(sentence for answer in answers for sentence in _sentences(answer))
    too_often = {sentence: heard.count(sentence) - count for sentence, count in told.items()}
    keys = {key for key, _ in seen.booked}
    return Tally(
        words_lost=lost.total(),
        words_doubled=doubled.total(),
        sentences_lost=sum(max(0, -count) for count in too_often.values()),
        sentences_doubled=sum(max(0, count) for count in too_often.values()),
        effects_doubled=len(keys) - len({parcel for _, parcel in seen.booked}),
    )


def unexcused(talk: Talk, seen: Evidence) -> list[str]:
    """What no standstill of the machine explains: a call that did not end once, an effect under two keys."""
    doubled = tally_of(talk, seen).effects_doubled
    return [*_ending(seen), *([f"{doubled} side effects doubled"] if doubled else [])]


def faults_of(talk: Talk, seen: Evidence) -> list[str]:
    """What is wrong, in words; empty when the call is as it would have been without the fault."""
    return [
        *_words(talk, seen),
        *_answers(talk, seen),
        *_ending(seen),
        *_effects(talk, seen),
        *transcript_faults(talk, seen.record, seen.away_ms),
    ]


def losses_of(talk: Talk, kept: Kept, heard: Sequence[tuple[float, bytes]]) -> list[str]:
    """What a call's records lack, in words. `heard`: the sound that reached the caller, as in Evidence."""
    if kept.recording is None:
        wrong = ["there is no recording"]
    else:
        lost_ms = int(kept.recording["missing_ms"])
        wrong = [f"{lost_ms} ms are missing in the recording"] if lost_ms else []
        wrong += _sound("customer", kept, sum(e.asked_ms - e.at_ms for e in talk.exchanges), talk)
        wrong += _sound("assistant", kept, round(_loud_ms(pcm for _, pcm in heard)), talk)
    if kept.archived_upto < kept.ended_at or not kept.ended_at:
        wrong.append(f"the archive ends at {kept.archived_upto}, the call at {kept.ended_at}")
    return wrong + [f"no cost of the {row}" for row in _COSTS if row not in kept.cost_rows]


def _sound(track: str, kept: Kept, wanted_ms: int, talk: Talk) -> list[str]:
    sounded_ms = _loud_ms([kept.tracks.get(track, b"")])
    if abs(sounded_ms - wanted_ms) <= SENTENCE_LOSS_MS * len(talk.exchanges):
        return []
    return [f"{sounded_ms:.0f} ms of sound on the {track}'s track instead of {wanted_ms}"]


def _loud_ms(sound: Iterable[bytes]) -> float:
    frames = (pcm[at : at + _FRAME_BYTES] for pcm in sound for at in range(0, len(pcm), _FRAME_BYTES))
    return sum(len(frame) for frame in frames if peak(frame) > LOUD) / _BYTES_PER_MS


def silences_of(talk: Talk, audio: Sequence[tuple[float, bytes]]) -> list[Silence]:
    """How each answer came; one that never came counts the whole period."""
    return [_silence(exchange, talk, audio) for exchange in talk.exchanges]


def _silence(exchange: Exchange, talk: Talk, audio: Sequence[tuple[float, bytes]]) -> Silence:
    asked_ms = exchange.asked_ms
    later = [other.at_ms for other in talk.exchanges if other.at_ms > exchange.at_ms]
    until_ms = min(later, default=talk.ends_ms)
    heard = [(at_s * 1_000, pcm) for at_s, pcm in audio if asked_ms <= at_s * 1_000 < until_ms and peak(pcm) > LOUD]
    if not heard:
        return Silence(asked_ms, float(until_ms - asked_ms), 0.0)
    hole_ms, sounds_until_ms = 0.0, heard[0][0]
    for at_ms, pcm in heard:
        hole_ms = max(hole_ms, at_ms - sounds_until_ms)
        sounds_until_ms = max(sounds_until_ms, at_ms) + len(pcm) / _BYTES_PER_MS
    return Silence(asked_ms, heard[0][0] - asked_ms, hole_ms)


def excused(talk: Talk, away_ms: Sequence[tuple[float, float]]) -> list[Exchange]:
    """Exchanges whose question was said, in part, into a line that was down."""
    return [e for e in talk.exchanges if any(lost < e.asked_ms and back > e.at_ms for lost, back in away_ms)]


def _wanted_and_heard(talk: Talk, seen: Evidence) -> tuple[list[str], list[str]]:
    without = excused(talk, seen.away_ms)
    turns = [payload for name, payload in seen.log if name == "turn.committed"]
    turns.sort(key=lambda turn: int(turn["anchor_pts_ms"]))  # a stream without a leader has them in another order
    ends = [(e.at_ms, e.at_ms + talk.period_ms) for e in without]
    kept = [turn for turn in turns if not any(first <= turn["anchor_pts_ms"] < end for first, end in ends)]
    wanted = [word for exchange in talk.exchanges if exchange not in without for word in exchange.question.split()]
    return wanted, " ".join(str(turn["text"]) for turn in kept).split()


def _words(talk: Talk, seen: Evidence) -> list[str]:
    wanted, words = _wanted_and_heard(talk, seen)
    if words == wanted:
        return []
    lost, doubled = Counter(wanted) - Counter(words), Counter(words) - Counter(wanted)
    if lost or doubled:
        return [f"words of the caller lost: {_listed(lost)}; doubled: {_listed(doubled)}"]
    return [f"words of the caller out of order: {words}"]


def _heard(seen: Evidence) -> str:
    """What is said while a tool takes more than four seconds is no answer, and no fault."""
    return " ".join(text for text in _spoken(seen) if text and text not in FILLERS)


def _spoken(seen: Evidence) -> list[str]:
    return [str(payload["heard"]) for name, payload in seen.log if name == "reply.finished"]


def _sentences(answer: str) -> list[str]:
    return [f"{sentence.strip()}." for sentence in answer.split(".") if sentence.strip()]


def _answers(talk: Talk, seen: Evidence) -> list[str]:
    without = excused(talk, seen.away_ms)
    heard = _heard(seen)
    if without:
        answers = [exchange.answer for exchange in talk.exchanges if exchange not in without]
        return [f"heard {heard.count(answer)} times: {answer!r}" for answer in answers if heard.count(answer) != 1]
    wrong = [] if heard == talk.answers else [f"heard {heard!r} instead of {talk.answers!r}"]
    if seen.away_ms:
        return wrong
    return wrong + _sounds(talk, seen)


def _sounds(talk: Talk, seen: Evidence) -> list[str]:
    """Answers that sounded longer or shorter than their text, fillers left out; one by one, by when they sounded."""
    fillers_ms = sum(len(text) * MS_PER_CHARACTER for text in _spoken(seen) if text in FILLERS)
    wrong: list[str] = []
    for exchange, after in itertools.zip_longest(talk.exchanges, talk.exchanges[1:]):
        until_ms = after.asked_ms if after else float("inf")
        sounds = (pcm for at_s, pcm in seen.audio if exchange.asked_ms <= at_s * 1_000 < until_ms and peak(pcm) > LOUD)
        sounded_ms = sum(len(pcm) for pcm in sounds) / _BYTES_PER_MS
        more_ms = sounded_ms - exchange.answer_ms
        if more_ms < -SENTENCE_LOSS_MS or more_ms > SENTENCE_LOSS_MS + fillers_ms:
            told = f"the answer on {exchange.parcel} sounded for {sounded_ms:.0f} ms instead of {exchange.answer_ms}"
            wrong.append(told)
    return wrong


def _ending(seen: Evidence) -> list[str]:
    ends = [payload for name, payload in seen.log if name == "call.ended"]
    reason = str(seen.record.get("endedReason"))
    wrong = [] if len(ends) == 1 else [f"ended {len(ends)} times"]
    return wrong if reason == NORMAL_END else [*wrong, f"the record's ended reason is {reason}"]


def _effects(talk: Talk, seen: Evidence) -> list[str]:
    keys = {key for key, _ in seen.booked}
    parcels = sorted(parcel for _, parcel in set(seen.booked))
    wanted = [exchange.parcel for exchange in talk.exchanges if exchange.books]
    missing_is_excused = {exchange.parcel for exchange in excused(talk, seen.away_ms)}
    expected = [parcel for parcel in wanted if parcel in parcels or parcel not in missing_is_excused]
    if parcels == sorted(expected) and len(keys) == len(parcels):
        return []
    return [f"the tool's server saw {parcels} under {len(keys)} keys instead of {sorted(expected)}"]


def transcript_faults(talk: Talk, record: Mapping[str, Any], away_ms: Sequence[tuple[float, float]] = ()) -> list[str]:
    """What the record's transcript lacks or has twice, in words."""
    transcript = str((record.get("artifact") or {}).get("transcript") or "")
    without = excused(talk, away_ms)
    kept = [exchange for exchange in talk.exchanges if exchange not in without]
    texts = [text for exchange in kept for text in (exchange.question, exchange.answer)]
    missing = [text for text in texts if text not in transcript]
    doubled = [text for text in texts if transcript.count(text) > 1]
    return [
        *([f"the record's transcript lacks {missing}"] if missing else []),
        *([f"the record's transcript has twice {doubled}"] if doubled else []),
    ]


def _listed(words: Mapping[str, int]) -> str:
    return ", ".join(f"{word} x{count}" if count > 1 else word for word, count in words.items()) or "none"
