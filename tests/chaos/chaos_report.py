"""docs/reliability.md: what calls suffered from each fault, with the conditions it was measured under. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

from chaos_bounds import quantile
from chaos_round import Verdict

_TEMPLATE: Final = Template(Path(__file__).with_name("reliability.md.template").read_text())
_COLUMNS: Final = (
    "| fault | calls | trials | gap p50 / p95 / max ms | words lost / doubled | sentences lost / doubled "
    "| side effects doubled | things wrong | held up: trials (gap p95), calls |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)
_ID: Final = re.compile(r" \([0-9a-f-]{36}\)")
_SHOWN: Final = 5
_LONGEST: Final = 240


@dataclass(frozen=True, slots=True)
class Row:
    """One fault's figures, as they are kept between runs."""

    fault: str
    calls: int
    trials: int
    gaps_ms: Sequence[float]
    tally: Mapping[str, int] | None
    """None = a part of a round whose calls are judged as a whole, in the row of that round."""

    wrong: Sequence[str]
    gaps_disturbed: Sequence[float]
    disturbed: int
    at: str


def rows_of(verdict: Verdict, at: str) -> list[Row]:
    """The round, and where it had several faults one row for the gaps of each."""
    whole = Row(
        verdict.fault,
        verdict.calls,
        len(verdict.all_gaps_ms) + len(verdict.gaps_disturbed),
        verdict.all_gaps_ms,
        asdict(verdict.tally),
        tuple(verdict.wrong),
        verdict.gaps_disturbed,
        verdict.disturbed,
        at,
    )
    if set(verdict.gaps_ms) <= {verdict.fault}:
        return [whole]
    parts = (Row(name, verdict.calls, len(gaps), gaps, None, (), (), 0, at) for name, gaps in verdict.gaps_ms.items())
    return [whole, *parts]


def merged(earlier: Sequence[Row], later: Sequence[Row]) -> list[Row]:
    """Rounds that were measured again take the place of what they were, with all their parts."""
    fresh = _rounds(later)
    kept = [fresh.pop(name, rows) for name, rows in _rounds(earlier).items()]
    return [row for rows in (*kept, *fresh.values()) for row in rows]


def _rounds(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """By name, each with its parts, which follow it."""
    rounds: dict[str, list[Row]] = {}
    name = ""
    for row in rows:
        name = row.fault if row.tally is not None else name
        rounds.setdefault(name, []).append(row)
    return rounds


def page(rows: Sequence[Row], conditions: Mapping[str, Any]) -> str:
    """The whole page."""
    told = ", ".join(f"{name} {value}" for name, value in conditions.items())
    table = f"{_COLUMNS}{''.join(_line(row) for row in rows)}"
    figures = f"{_warning(rows)}{table}\n{_what_was_wrong(rows)}Last run: {told}."
    return _TEMPLATE.substitute(figures=figures)


def _what_was_wrong(rows: Sequence[Row]) -> str:
    """The first findings of each round, without the calls' ids."""
    told: list[str] = []
    for row in rows:
        shown = [_ID.sub("", wrong)[:_LONGEST] for wrong in row.wrong[:_SHOWN]]
        more = [f"and {len(row.wrong) - _SHOWN} more"] if len(row.wrong) > _SHOWN else []
        told += [f"- {row.fault}: {what}\n" for what in (*shown, *more)]
    return f"What was wrong:\n\n{''.join(told)}\n" if told else ""


def _warning(rows: Sequence[Row]) -> str:
    whole = [row for row in rows if row.tally is not None]
    disturbed, trials = sum(len(row.gaps_disturbed) for row in whole), sum(row.trials for row in whole)
    if not trials or disturbed <= trials * 0.1:
        return ""
    share = 100 * disturbed / trials
    told = f"**These figures are of a busy machine: {share:.0f} % of the trials were held up.**"
    return f"{told} What the gaps of the others show may be other programs' doing.\n\n"


def _line(row: Row) -> str:
    gaps = row.gaps_ms
    told = f"{quantile(gaps, 0.5):.0f} / {quantile(gaps, 0.95):.0f} / {max(gaps):.0f}" if gaps else "–"
    if row.tally is None:
        return f"| · {row.fault} | | {row.trials} | {told} | | | | | |\n"
    tally = row.tally
    words, sentences = (f"{tally[f'{what}_lost']} / {tally[f'{what}_doubled']}" for what in ("words", "sentences"))
    if row.disturbed >= row.calls:
        words = sentences = "not judged"
    return (
        f"| **{row.fault}** | {row.calls} | {row.trials} | {told} | {words} | {sentences} "
        f"| {tally['effects_doubled']} | {len(row.wrong)} | {_held_up(row)} |\n"
    )


def _held_up(row: Row) -> str:
    gaps = row.gaps_disturbed
    return f"{len(gaps)} ({quantile(gaps, 0.95):.0f}), {row.disturbed}" if gaps else f"0, {row.disturbed}"
