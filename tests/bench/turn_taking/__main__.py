"""`make turn-taking`: how often callers are cut off and how long they wait, over recordings of people."""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "services" / "llm-orchestrator" / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from interruptions import Overlap, Verdict, judged, overlaps_of, spoken_nods
from listening import Kept, PocketsphinxHearer, PositionHearer, Timed, speech_events, timeline, transcripts
from recordings import rows_of_manifest
from replay import Outcome, by_evidence, by_silence, run
from scenes import Call, calls_of, scenes_of
from scoring import TARGETS, Point, by_source, chosen, point_of

from voxbus_llm_orchestrator.end_of_turn import DEFAULT_POLICY
from voxbus_testing.speech import recordings_dir

THRESHOLDS: Final = (0.3, 0.5, 0.7, 0.75, 0.8, 0.83, 0.86, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96)
SILENCES_MS: Final = (400, 600, 800, 1_000, 1_200, 1_400)
NODS_IGNORED: Final = 0.80
INTERRUPTIONS_OBEYED: Final = 0.90
RECOGNIZERS: Final = ("position", "pocketsphinx")

Heard = Sequence[tuple[Call, Sequence[Timed]]]


def heard_by(recognizer: str, calls: Sequence[Call], kept: Kept) -> list[tuple[Call, list[Timed]]]:
    """The events of all calls; meetings have no words in their labels, so the position recognizer gets none of them."""
    heard: list[tuple[Call, list[Timed]]] = []
    for call in calls:
        if recognizer == "position" and not call.words:
            continue
        speech = speech_events(call)
        by_position = recognizer == "position"
        said = transcripts(call, speech, PositionHearer(call.words)) if by_position else kept.transcripts(call, speech)
        heard.append((call, timeline(speech, said)))
    return heard


def curve(heard: Heard, half: str, fixed: bool = False) -> list[Point]:
    """The points of one half."""
    calls = [(call, events) for call, events in heard if call.half == half]
    if fixed:
        return [point_of(silence_ms, run(calls, by_silence(silence_ms))) for silence_ms in SILENCES_MS]
    return [point_of(threshold, run(calls, by_evidence(threshold))) for threshold in THRESHOLDS]


def scored(recognizer: str, heard: Heard) -> dict[str, Any]:
    """Settings chosen on one half, figures of the other."""
    tuned, reported, fixed = curve(heard, "tune"), curve(heard, "report"), curve(heard, "report", fixed=True)
    reporting = [(call, events) for call, events in heard if call.half == "report"]
    targets: list[dict[str, Any]] = []
    for target in TARGETS:
        setting = chosen(tuned, target).setting
        point = next(point for point in reported if point.setting == setting)
        baseline = chosen(fixed, target)
        targets.append(
            {
                "cut_at_most": target.cut,
                "delay_at_most_ms": target.delay_ms,
                "threshold": setting,
                "reported": point.as_json(),
                "is_met": target.is_met_by(point),
                "fixed_silence_ms": baseline.setting,
                "fixed_silence": baseline.as_json(),
            }
        )
    default: Outcome = run(reporting, by_evidence(DEFAULT_POLICY.threshold))
    return {
        "recognizer": recognizer,
        "targets": targets,
        "default": point_of(DEFAULT_POLICY.threshold, default).as_json(),
        "default_by_source": by_source(default),
        "numbers_cut_off": sum(hold.was_cut for hold in default.holds if hold.source == "digit_seq"),
        "curves": {
            "tune": [point.as_json() for point in tuned],
            "report": [point.as_json() for point in reported],
            "report, fixed silence": [point.as_json() for point in fixed],
        },
        "points": {recognizer: reported, f"{recognizer}, fixed silence": fixed},
    }


def overlapped(recognizer: str, overlaps: Sequence[Overlap], kept: Kept) -> dict[str, Any]:
    """How many nods were ignored and how many interruptions were obeyed."""
    events = {id(call): said for call, said in heard_by(recognizer, [o.call for o in overlaps], kept)}
    verdicts = [judged(overlap, events[id(overlap.call)]) for overlap in overlaps]
    by: dict[tuple[bool, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by[verdict.is_nod, verdict.source].append(verdict)
    return {
        "recognizer": recognizer,
        "nods_ignored": _share([verdict for verdict in verdicts if verdict.is_nod]),
        "interruptions_obeyed": _share([verdict for verdict in verdicts if not verdict.is_nod]),
        "by_source": {source: _share(group) for (_, source), group in sorted(by.items())},
    }


def _share(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    right = sum(verdict.is_right for verdict in verdicts)
    return {"right": right, "of": len(verdicts), "share": round(right / max(1, len(verdicts)), 3)}


# --- telling it ---


def tell(score: dict[str, Any]) -> None:
    print(f"\nEnd of turn, recognizer {score['recognizer']} (chosen on one half, figures of the other, 95 % intervals)")
    for target in score["targets"]:
        point = target["reported"]
        fixed = target["fixed_silence"]
        print(
            f"  ≤ {target['cut_at_most']:.0%} cut off at ≤ {target['delay_at_most_ms']} ms: threshold"
            f" {target['threshold']}: {_figures(point)}: {'met' if target['is_met'] else 'NOT met'}"
            f"   [{target['fixed_silence_ms']:.0f} ms of silence: {fixed['cut']:.1%} at {fixed['delay_ms']:.0f} ms]"
        )
    print(f"  default policy: {_figures(score['default'])}; {score['default']['never']} ends never committed")
    print(f"  phone numbers cut off in a pause: {score['numbers_cut_off']}")
    print(f"  model starts per committed turn: {score['default']['model_starts_per_commit']:.2f}")
    for row in score["default_by_source"]:
        print(
            f"    {row['source']:26} {row['cut_off']:3} of {row['holds']:3} holds cut off,"
            f" {row['ends']:3} ends after {row['mean_delay_ms']} ms"
        )


def _figures(point: dict[str, Any]) -> str:
    return (
        f"{point['cut']:.1%} ({point['cut_low']:.1%}-{point['cut_high']:.1%}) of {point['holds']} holds at"
        f" {point['delay_ms']:.0f} ms ({point['delay_low_ms']:.0f}-{point['delay_high_ms']:.0f}), {point['ends']} ends"
    )


def tell_overlaps(score: dict[str, Any]) -> None:
    nods, real = score["nods_ignored"], score["interruptions_obeyed"]
    print(f"\nSpeech over the assistant, recognizer {score['recognizer']}")
    for name, figure, least in (("nods ignored", nods, NODS_IGNORED), ("interrupted", real, INTERRUPTIONS_OBEYED)):
        met = "met" if figure["share"] >= least else "NOT met"
        print(f"  {name}: {figure['right']} of {figure['of']} ({figure['share']:.0%}; ≥ {least:.0%}: {met})")
    for source, figure in score["by_source"].items():
        print(f"    {source:26} right for {figure['right']} of {figure['of']}")


def draw(scores: Sequence[dict[str, Any]], file: Path) -> None:
    try:
        from plot import draw as draw_curves

        draw_curves({name: points for score in scores for name, points in score["points"].items()}, file)
    except ImportError:
        print("\nno curve was drawn: matplotlib is not installed")
    else:
        print(f"\n{file}")


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make turn-taking", description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/turn_taking"), help="folder of what is written")
    arguments.add_argument("--recognizer", choices=RECOGNIZERS, action="append", help="all when left out")
    arguments.add_argument("--only-if-recorded", action="store_true", help="without recordings say so, and be content")
    given = arguments.parse_args()
    if given.only_if_recorded and not (recordings_dir() / "manifest.jsonl").exists():
        print(f"turn-taking was not scored: there are no recordings in {recordings_dir()}")
        return
    began_s = time.monotonic()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = rows_of_manifest()
    calls = calls_of(scenes_of(rows))
    overlaps = [*overlaps_of(rows), *spoken_nods()]
    kept = Kept(given.out / "pocketsphinx", PocketsphinxHearer)
    scores: list[dict[str, Any]] = []
    interruptions: list[dict[str, Any]] = []
    for recognizer in given.recognizer or RECOGNIZERS:
        scores.append(scored(recognizer, heard_by(recognizer, calls, kept)))
        tell(scores[-1])
        interruptions.append(overlapped(recognizer, overlaps, kept))
        tell_overlaps(interruptions[-1])
    draw(scores, given.out / "turn_taking.png")
    told = [{key: value for key, value in score.items() if key != "points"} for score in scores]
    written = {"end_of_turn": told, "interruptions": interruptions}
    (given.out / "turn_taking.json").write_text(json.dumps(written, indent=1))
    print(f"{given.out / 'turn_taking.json'}; {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
