"""Makes models/prosody.json of the vad from the tuning half of the recordings; the same recordings give the same file.

Places where the vad tells of a stop, in turns made as the score makes them (other seeds) and in recordings of the same
half whose words nobody wrote down. Ends are ends; pauses between two whole sentences, which sound like ends, are left
out. What is printed is the area under the curve, each quarter of the recordings judged by trees grown on the others.
"""

import hashlib
import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "services" / "llm-orchestrator" / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from boosting import Floats, area_under_curve, boosted
from clips import SAMPLES_PER_MS, Clip, Samples, background, clip_of, cut, half_of, quietest_near
from listening import speech_events
from recordings import rows_of_manifest
from scenes import BEFORE_MS as LEAD_MS
from scenes import Call, calls_of, habits, is_whole_sentence, sentence_turns

from voxbus_contracts.events import SpeechStopped
from voxbus_vad.prosody import AFTER_MS, BEFORE_MS, FEATURES, prosody

FILE: Final = Path(__file__).resolve().parents[3] / "services/vad/src/voxbus_vad/models/prosody.json"
SEEDS: Final = range(101, 113)
ROUNDS: Final = 120
_QUARTERS: Final = 4
_CUTS: Final = 6
"""Pauses put into each recording without words."""
_NEAR_MS: Final = 450


@dataclass(frozen=True, slots=True)
class Place:
    """A stop: its prosody, whether the turn ended there, and the quarter its recording is in."""

    numbers: Floats
    is_end: bool
    quarter: int


def quarter_of(name: str) -> int:
    return hashlib.sha256(f"quarter:{name}".encode()).digest()[0] % _QUARTERS


def at(samples: Samples, stop: SpeechStopped, is_end: bool, quarter: int) -> Place:
    """The place of a stop in a sound."""
    start, end = ((stop.pts_ms + by_ms) * SAMPLES_PER_MS for by_ms in (-BEFORE_MS, AFTER_MS))
    return Place(prosody(np.pad(samples, (max(0, -start), 0))[max(0, start) : end + max(0, -start)]), is_end, quarter)


def in_turns(sentences: Sequence[Clip], speakers: Sequence[list[int]], quarter: int) -> Iterator[Place]:
    """Of sentences, most with pauses put in, whose lengths are those of the speakers."""
    for seed in SEEDS:
        for call in calls_of(sentence_turns(sentences, speakers, random.Random(seed))):
            yield from _of_call(call, quarter)


def _of_call(call: Call, quarter: int) -> Iterator[Place]:
    stops = [event for event in speech_events(call, by_prosody=False) if isinstance(event, SpeechStopped)]
    begins = [at_ms for at_ms, _ in call.turns]
    for (at_ms, scene), until_ms in zip(call.turns, [*begins[1:], 1 << 40], strict=True):
        own = [stop for stop in stops if at_ms <= stop.pts_ms < until_ms]
        for stop in own:
            is_last = stop is own[-1]
            if is_last and abs(stop.pts_ms - at_ms - scene.end_ms) > _NEAR_MS:
                continue
            if is_last or not scene.source.endswith("joined"):
                yield at(call.samples, stop, is_last, quarter)


def in_wordless(rows: Iterable[dict[str, Any]]) -> Iterator[Place]:
    """The end of each, and pauses put in at its quiet places."""
    for row in rows:
        clip = clip_of(row)
        noise, chance = np.random.default_rng(list(clip.name.encode())), random.Random(clip.name)
        ends = [(clip.end_ms, True)]
        longer = [span for span in clip.voice if span[1] - span[0] > 600]
        for _ in range(_CUTS if longer else 0):
            start_ms, stop_ms = chance.choice(longer)
            ends.append((quietest_near(clip.samples, chance.randrange(start_ms + 250, stop_ms - 200)), False))
        for end_ms, is_end in ends:
            if end_ms - clip.start_ms > 250:
                yield from _cut_off_at(clip, end_ms, is_end, noise)


def _cut_off_at(clip: Clip, end_ms: int, is_end: bool, noise: np.random.Generator) -> Iterator[Place]:
    spoken = cut(clip.samples, clip.start_ms, end_ms)
    parts = (background(clip.samples, LEAD_MS, noise), spoken, background(clip.samples, 800, noise))
    samples = np.concatenate(parts)
    call = Call(clip.name, "tune", samples[: len(samples) // 320 * 320], ())
    stops = [event for event in speech_events(call, by_prosody=False) if isinstance(event, SpeechStopped)]
    for stop in stops[-1:]:
        if abs(stop.pts_ms - LEAD_MS - (end_ms - clip.start_ms)) <= _NEAR_MS:
            yield at(call.samples, stop, is_end, quarter_of(clip.name))


def places_of(rows: Sequence[dict[str, Any]]) -> list[Place]:
    """All places of the tuning half, none of the other."""
    tuning = [row for row in rows if half_of(row["id"]) == "tune" and row["lang"] == "en" and row.get("vad_silero")]
    sentences = [clip_of(row) for row in tuning if is_whole_sentence(row)]
    places: list[Place] = []
    for quarter in range(_QUARTERS):
        own = [clip for clip in sentences if quarter_of(clip.name) == quarter]
        places += in_turns(own, habits(tuning), quarter)
    wordless = [row for row in tuning if row["kind"] == "utt_slots" or (row["kind"] == "utt" and not row["transcript"])]
    return places + list(in_wordless(wordless))


def trained(rows: Floats, is_end: np.ndarray) -> Any:
    """Ends and pauses count the same in sum, so that log odds of 0 say nothing."""
    weight = np.where(is_end, 0.5 / is_end.mean(), 0.5 / (1 - is_end.mean()))
    return boosted(rows, is_end, weight, ROUNDS, seed=1)


def main() -> None:
    places = places_of(rows_of_manifest())
    rows = np.array([place.numbers for place in places])
    is_end = np.array([place.is_end for place in places])
    quarters = np.array([place.quarter for place in places])
    print(f"{is_end.sum()} ends and {(~is_end).sum()} pauses")
    for quarter in range(_QUARTERS):
        own = quarters == quarter
        odds = trained(rows[~own], is_end[~own]).log_odds(rows[own])
        print(f"quarter {quarter}: area under the curve {area_under_curve(is_end[own], odds):.3f}")
    trees = trained(rows, is_end)
    never = float(np.finfo(np.float32).max)
    lines = np.concatenate([trees.asks, np.minimum(trees.above, never).round(3), trees.adds.round(4)], axis=1).tolist()
    told = [[int(number) for number in line[:3]] + line[3:] for line in lines]
    body = ",\n  ".join(json.dumps(line) for line in told)
    head = f'"features": {json.dumps(list(FEATURES))},\n "start": {round(trees.start, 4)}'
    FILE.write_text(f'{{{head},\n "trees": [\n  {body}\n ]}}\n')
    print(FILE)


if __name__ == "__main__":
    main()
