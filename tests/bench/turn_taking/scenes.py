"""Turns of callers with their holds and their end, from recordings; the same seed gives the same turns.

- conversation: one speaker's turn of a meeting, cut out where another one takes over or the speaker goes on
- digit_seq: phone numbers as recorded, and more of them composed in the same way from single spoken digits
- disfluent: hesitant speech with the pauses it has
- utterances: sentences as they are, with pauses put between two words, or two sentences with a pause between them; the
  lengths of these pauses are those of one recorded speaker each, so that a caller has habits
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from clips import Clip, Samples, Span, Word, background, clip_of, cut, half_of, quietest_near

SHORTEST_HOLD_MS: Final = 200
"""What counts as a pause, as in the manifest; the vad says nothing of shorter ones."""
LONGEST_HOLD_MS: Final = 2_500
AFTER_END_MS: Final = 4_000
NUMBERS: Final = "digit_seq"
QUESTION_MS: Final = 2_000
"""Before the first number of a call the assistant asks for it."""
BEFORE_MS: Final = 400
PASSES: Final = 4
"""Times each sentence is used, with other pauses each time."""
TURNS_PER_CALL: Final = 4
_SENTENCE_KINDS: Final = ("utt", "prompt", "tele_prompt")
_PAUSE_KINDS: Final = ("utt_long", "phone_speech")
"""People who speak at length by themselves; those of meetings lie between speakers, and some of disfluent are acted."""
_COMPOSED_NUMBERS: Final = 48
_OVERLAP_S: Final = -0.2
"""Turns that overlap less than this are cut apart where the first one ends."""
_GROUPINGS: Final = ((3, 3, 4), (3, 3, 4), (2, 2, 2, 2, 2), (4, 3, 3), (3, 4, 3), (5, 5), (3, 3, 2, 2))


@dataclass(frozen=True, slots=True)
class Scene:
    """One turn: its sound up to its end, words, holds and the end of its last voiced sample, ms from its start."""

    name: str
    source: str
    half: str
    caller: str
    samples: Samples
    words: tuple[Word, ...]
    holds: tuple[Span, ...]
    end_ms: int


@dataclass(frozen=True, slots=True)
class Call:
    """Turns of one caller with long silence after each. `at_ms` = where each begins."""

    name: str
    half: str
    samples: Samples
    turns: tuple[tuple[int, Scene], ...]

    @property
    def words(self) -> list[Word]:
        return [word.moved(at_ms) for at_ms, scene in self.turns for word in scene.words]


@dataclass(slots=True)
class Builder:
    """A turn put together piece by piece."""

    rng: np.random.Generator
    like: Samples
    parts: list[Samples] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    holds: list[Span] = field(default_factory=list)
    length_ms: int = 0

    def silence(self, ms: int) -> None:
        self.parts.append(background(self.like, ms, self.rng))
        self.length_ms += ms

    def hold(self, ms: int) -> None:
        self.holds.append((self.length_ms, self.length_ms + ms))
        self.silence(ms)

    def sound(self, clip: Clip, start_ms: int, stop_ms: int, words: Iterable[Word]) -> None:
        """A stretch of the clip; its words as laid over the clip."""
        by_ms = self.length_ms - start_ms
        self.words += [word.moved(by_ms) for word in words]
        piece = cut(clip.samples, start_ms, stop_ms)
        self.parts.append(piece)
        self.length_ms += stop_ms - start_ms

    def done(self, name: str, source: str, half: str, caller: str) -> Scene:
        samples = np.concatenate(self.parts)
        return Scene(name, source, half, caller, samples, tuple(self.words), tuple(self.holds), self.length_ms)


def scenes_of(rows: Sequence[dict[str, Any]], seed: int = 7) -> list[Scene]:
    """All turns the recordings give."""
    rng = random.Random(seed)
    wanted = {*_SENTENCE_KINDS, "conversation", "digit_seq", "digit", "disfluent"}
    clips = [clip_of(row) for row in rows if row["kind"] in wanted and row["lang"] == "en" and row["vad_silero"]]
    by_kind: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_kind[clip.kind].append(clip)
    scenes = [scene for clip in by_kind["conversation"] for scene in conversation_turns(clip)]
    halves = halves_of_speakers([*by_kind["digit_seq"], *by_kind["digit"]])
    scenes += [recorded_number(clip, halves[clip.speaker]) for clip in by_kind["digit_seq"]]
    scenes += composed_numbers(by_kind["digit"], halves, rng)
    scenes += [with_own_pauses(clip) for clip in by_kind["disfluent"]]
    whole = {row["id"] for row in rows if is_whole_sentence(row)}
    sentences = [clip for kind in _SENTENCE_KINDS for clip in by_kind[kind] if clip.name in whole]
    return scenes + sentence_turns(sentences, habits(rows), rng)


def is_whole_sentence(row: dict[str, Any]) -> bool:
    """Its text is known, of two words at least; a prompt counts when its writer closed it with a full stop."""
    text = (row["transcript"] or "").strip()
    if len(text.split()) < 2 or row["kind"] not in _SENTENCE_KINDS:
        return False
    return row["kind"] == "utt" or text.endswith((".", "?", "!"))


def habits(rows: Sequence[dict[str, Any]]) -> list[list[int]]:
    """The pauses of each recorded speaker who paused at least four times, ms."""
    found: list[list[int]] = []
    for row in rows:
        if row["kind"] in _PAUSE_KINDS:
            lengths = [round((stop - start) * 1_000) for start, stop in row["pauses"] or ()]
            lengths = [ms for ms in lengths if SHORTEST_HOLD_MS <= ms <= LONGEST_HOLD_MS]
            if len(lengths) >= 4:
                found.append(lengths)
    return found


# --- the four sources ---


def conversation_turns(clip: Clip) -> list[Scene]:
    """Each shift ends a turn; a hold, and silence inside one speaker's segment, is a hold of it.

    Only where nobody else speaks in between: the recording has one channel.
    """
    segments = [(round(a * 1_000), round(b * 1_000), who) for a, b, who in clip.labels.get("segments", ())]
    shifts = [e for e in clip.labels.get("events", ()) if e["type"] == "shift" and e["gap"] >= _OVERLAP_S]
    turns: list[Scene] = []
    for number, shift in enumerate(shifts):
        end_ms = round(shift["t"] * 1_000)
        own = [s for s in segments if s[2] == shift["speaker"] and s[1] <= end_ms + 50]
        others = [s[1] for s in segments if s[2] != shift["speaker"] and s[0] < end_ms]
        start_ms = min((s[0] for s in own if s[0] >= max(others, default=0)), default=own[-1][0])
        start_ms = max(start_ms, end_ms - 15_000)
        voice = [(max(a, start_ms), min(b, end_ms)) for a, b in clip.voice if b > start_ms and a < end_ms]
        if voice and voice[-1][1] - voice[0][0] >= 300:
            turns.append(_own_turn(clip, voice, f"{clip.name}-{number}", "conversation"))
    return turns


def with_own_pauses(clip: Clip) -> Scene:
    return _own_turn(clip, clip.voice, clip.name, "disfluent")


def halves_of_speakers(clips: Iterable[Clip]) -> dict[str, str]:
    """Every other speaker of digits; there are six."""
    speakers = sorted({clip.speaker for clip in clips})
    return {speaker: ("tune", "report")[n % 2] for n, speaker in enumerate(speakers)}


def recorded_number(clip: Clip, half: str) -> Scene:
    """Holds and end as labelled; the words lie in the groups between them."""
    events = clip.labels["events"]
    holds = [(round(e["t"] * 1_000), round((e["t"] + e["gap"]) * 1_000)) for e in events if e["type"] == "hold"]
    end_ms = next(round(e["t"] * 1_000) for e in events if e["type"] == "eot")
    edges = [clip.start_ms, *(edge for hold in holds for edge in hold), end_ms]
    groups = list(zip(edges[::2], edges[1::2], strict=True))
    texts = [word.text for word in clip.words]
    sizes = [3] * len(holds) + [len(texts) - 3 * len(holds)]
    words: list[Word] = []
    for size, group in zip(sizes, groups, strict=True):
        words += _evenly(texts[len(words) : len(words) + size], group)
    build = Builder(_rng(clip.name), clip.samples)
    build.silence(BEFORE_MS)
    by_ms = build.length_ms - clip.start_ms
    build.sound(clip, clip.start_ms, end_ms, words)
    build.holds += [(start + by_ms, stop + by_ms) for start, stop in holds]
    return build.done(clip.name, NUMBERS, half, clip.speaker)


def composed_numbers(digits: Sequence[Clip], halves: dict[str, str], rng: random.Random) -> list[Scene]:
    """Phone numbers from single digits of one speaker: several groupings, holds of 0.7-1.1 s, 80-200 ms elsewhere."""
    by_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in digits:
        by_speaker[clip.speaker].append(clip)
    speakers = sorted(speaker for speaker, known in by_speaker.items() if len(known) >= 4)
    turns: list[Scene] = []
    for number in range(_COMPOSED_NUMBERS):
        speaker = speakers[number % len(speakers)]
        name = f"composed-{number:02}-{speaker}"
        spoken = [rng.choice(by_speaker[speaker]) for _ in range(10)]
        turns.append(_spoken_number(name, halves[speaker], spoken, rng))
    return turns


def _spoken_number(name: str, half: str, spoken: list[Clip], rng: random.Random) -> Scene:
    speaker = spoken[0].speaker
    if spoken[0].words[0].text in {"zero", "one"}:
        spoken = [*spoken, rng.choice(spoken)]
    sizes = list(rng.choice(_GROUPINGS))
    sizes[-1] += len(spoken) - sum(sizes)
    build = Builder(_rng(name), spoken[0].samples)
    build.silence(BEFORE_MS)
    for group, size in enumerate(sizes):
        if group:
            build.hold(rng.randrange(700, 1_101, 10))
        for at in range(size):
            clip = spoken.pop(0)
            if at:
                build.silence(rng.randrange(80, 201, 20))
            build.sound(clip, clip.start_ms, clip.end_ms, clip.words)
    return build.done(name, NUMBERS, half, speaker)


def sentence_turns(sentences: Sequence[Clip], speakers: Sequence[list[int]], rng: random.Random) -> list[Scene]:
    """Each sentence as it is, with one or two pauses between words, or after another one of the same speaker."""
    by_caller: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in sentences:
        by_caller[clip.half, clip.speaker].append(clip)
    turns: list[Scene] = []
    for one_pass in range(PASSES):
        for (half, speaker), clips in sorted(by_caller.items()):
            shuffled = rng.sample(clips, len(clips))
            for at, clip in enumerate(shuffled):
                if at % TURNS_PER_CALL == 0:
                    pauses = rng.choice(list(speakers))
                other = rng.choice(clips)
                kind = rng.choices(("plain", "one", "two", "joined"), (25, 40, 15, 20))[0]
                name = f"{clip.name}-{one_pass}-{kind}"
                lengths = [rng.choice(pauses) for _ in range(2)]
                caller = f"{half}-{speaker}-{one_pass}-{at // TURNS_PER_CALL}"
                if kind == "joined" and other is not clip:
                    turns.append(replace(joined(name, clip, other, lengths[0]), caller=caller))
                else:
                    wanted = {"one": 1, "two": 2}.get(kind, 0)
                    turns.append(replace(with_pauses(name, clip, lengths[:wanted], rng), caller=caller))
    return turns


def joined(name: str, first: Clip, second: Clip, pause_ms: int) -> Scene:
    """Two sentences, a hold between them."""
    build = Builder(_rng(name), first.samples)
    build.silence(BEFORE_MS)
    build.sound(first, first.start_ms, first.end_ms, first.words)
    build.holds += _own_holds(first, BEFORE_MS - first.start_ms)
    build.hold(pause_ms)
    build.holds += _own_holds(second, build.length_ms - second.start_ms)
    build.sound(second, second.start_ms, second.end_ms, second.words)
    return build.done(name, "utterances: joined", first.half, first.speaker)


def with_pauses(name: str, clip: Clip, pauses_ms: Sequence[int], rng: random.Random) -> Scene:
    """The sentence with holds at places drawn among all its places between two words."""
    places = list(range(1, len(clip.words)))
    at_words = sorted(rng.sample(places, min(len(places), len(pauses_ms))))
    build = Builder(_rng(name), clip.samples)
    build.silence(BEFORE_MS)
    edges_ms = [quietest_near(clip.samples, clip.words[at].start_ms) for at in at_words]
    starts, stops = [clip.start_ms, *edges_ms], [*edges_ms, clip.end_ms]
    bounds = [0, *at_words, len(clip.words)]
    for n, (start_ms, stop_ms) in enumerate(zip(starts, stops, strict=True)):
        if n:
            build.hold(pauses_ms[n - 1])
        if start_ms < stop_ms:
            build.holds += [
                hold
                for hold in _own_holds(clip, build.length_ms - start_ms)
                if hold[0] >= build.length_ms and hold[1] <= build.length_ms + stop_ms - start_ms
            ]
            build.sound(clip, start_ms, stop_ms, clip.words[bounds[n] : bounds[n + 1]])
    source = "utterances: pause put in" if at_words else "utterances: as they are"
    return build.done(name, source, clip.half, clip.speaker)


# --- calls ---


def calls_of(scenes: Sequence[Scene]) -> list[Call]:
    """Turns of the same caller and source, up to four on a call."""
    groups: dict[tuple[str, str, str], list[Scene]] = defaultdict(list)
    for scene in scenes:
        groups[scene.half, scene.source.split(":")[0], scene.caller].append(scene)
    calls: list[Call] = []
    for (half, source, caller), turns in sorted(groups.items()):
        for at in range(0, len(turns), TURNS_PER_CALL):
            calls.append(_call(f"{source} {caller} {at}", half, turns[at : at + TURNS_PER_CALL]))
    return calls


def _call(name: str, half: str, turns: Sequence[Scene]) -> Call:
    rng = _rng(name)
    at_ms = QUESTION_MS if turns[0].source == NUMBERS else 0
    parts: list[Samples] = [background(turns[0].samples, at_ms, rng)]
    placed: list[tuple[int, Scene]] = []
    for scene in turns:
        placed.append((at_ms, scene))
        # On the grid of frames, so that no turn depends on the one before it.
        tail_ms = AFTER_END_MS + -(scene.end_ms + AFTER_END_MS) % 20
        sound = np.concatenate([scene.samples, background(scene.samples, tail_ms + 20, rng)])
        length_ms = scene.end_ms + tail_ms
        parts.append(sound[: length_ms * 16])
        at_ms += length_ms
    return Call(name, half, np.concatenate(parts), tuple(placed))


# --- small things ---


def _own_turn(clip: Clip, voice: Sequence[Span], name: str, source: str) -> Scene:
    build = Builder(_rng(name), clip.samples)
    build.silence(BEFORE_MS)
    start_ms, end_ms = voice[0][0], voice[-1][1]
    by_ms = build.length_ms - start_ms
    build.sound(clip, start_ms, end_ms, [word for word in clip.words if start_ms <= word.start_ms < end_ms])
    build.holds += [(a[1] + by_ms, b[0] + by_ms) for a, b in pairwise(voice) if b[0] - a[1] >= SHORTEST_HOLD_MS]
    return build.done(name, source, half_of(name), clip.name)


def _own_holds(clip: Clip, by_ms: int) -> list[Span]:
    """Pauses the recording itself has."""
    gaps = ((a[1], b[0]) for a, b in pairwise(clip.voice))
    return [(start + by_ms, stop + by_ms) for start, stop in gaps if stop - start >= SHORTEST_HOLD_MS]


def _evenly(texts: Sequence[str], span: Span) -> list[Word]:
    step = (span[1] - span[0]) / max(1, len(texts))
    return [Word(text, round(span[0] + n * step), round(span[0] + (n + 1) * step)) for n, text in enumerate(texts)]


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(list(name.encode()))
