"""The findings as a table for people and as JSON. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from soak_judge import Finding, Slope, State

_WIDTH: Final = 34


def table(findings: Sequence[Finding]) -> str:
    """A row per measure: what stands out first, then in the order of their names."""
    order = {State.LEAK: 0, State.NOT_SURE: 1, State.STEADY: 2}
    heads = ("before", "after", "per call", "an hour, 95 %")
    head = f"{'measure':<{_WIDTH}} {heads[0]:>9} {heads[1]:>9} {heads[2]:>9}  {heads[3]:<28} verdict"
    rows = sorted(findings, key=lambda finding: (order[finding.state], finding.name))
    return "\n".join([head, "-" * len(head), *map(_row, rows)])


def _row(finding: Finding) -> str:
    numbers = f"{_short(finding.before):>9} {_short(finding.after):>9} {_short(finding.per_call):>9}"
    line = f"{finding.name:<{_WIDTH}} {numbers}  {_slope(finding.slope):<28} {finding.state}"
    return f"{line}: {finding.why}" if finding.why else line


def _slope(slope: Slope | None) -> str:
    return f"{slope.per_hour:+.3g} ({slope.low:+.3g} to {slope.high:+.3g})" if slope is not None else "too few samples"


def _short(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]
