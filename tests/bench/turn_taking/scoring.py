"""From outcomes to figures: false cut-offs against delay, with confidence intervals over calls."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from replay import Outcome

NEVER_MS: Final = 4_000
"""An end that was never committed counts as this late."""
_RESAMPLES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Point:
    """One setting on one half: share of holds cut off and mean delay of the ends, with 95 % intervals."""

    setting: float
    cut: float
    cut_low: float
    cut_high: float
    delay_ms: float
    delay_low_ms: float
    delay_high_ms: float
    holds: int
    ends: int
    never: int
    model_starts_per_commit: float

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Target:
    """At most this share of holds cut off, at most this mean delay."""

    cut: float
    delay_ms: int

    def is_met_by(self, point: Point) -> bool:
        return point.cut <= self.cut and point.delay_ms <= self.delay_ms


TARGETS: Final = (Target(0.05, 750), Target(0.10, 450))


def point_of(setting: float, outcome: Outcome) -> Point:
    """The figures of one run; the interval is a bootstrap over whole calls, seeded."""
    cut, delays = _by_call(outcome)
    calls = sorted(delays)
    sums = np.array([[*cut.get(call, (0, 0)), sum(delays[call]), len(delays[call])] for call in calls], np.float64)
    picks = np.random.default_rng(1).integers(0, len(calls), (_RESAMPLES, len(calls)))
    drawn = sums[picks].sum(axis=1)
    cuts, means = drawn[:, 0] / np.maximum(drawn[:, 1], 1), drawn[:, 2] / np.maximum(drawn[:, 3], 1)
    total = sums.sum(axis=0)
    return Point(
        setting=setting,
        cut=float(total[0] / max(1, total[1])),
        cut_low=float(np.quantile(cuts, 0.025)),
        cut_high=float(np.quantile(cuts, 0.975)),
        delay_ms=float(total[2] / max(1, total[3])),
        delay_low_ms=float(np.quantile(means, 0.025)),
        delay_high_ms=float(np.quantile(means, 0.975)),
        holds=int(total[1]),
        ends=int(total[3]),
        never=sum(end.delay_ms is None for end in outcome.ends),
        model_starts_per_commit=outcome.model_starts / max(1, outcome.commits),
    )


def _by_call(outcome: Outcome) -> tuple[dict[str, tuple[int, int]], dict[str, list[int]]]:
    """Holds cut off and holds, and delays, of each call."""
    cut: dict[str, tuple[int, int]] = {}
    for hold in outcome.holds:
        was, of = cut.get(hold.call, (0, 0))
        cut[hold.call] = (was + hold.was_cut, of + 1)
    delays: dict[str, list[int]] = defaultdict(list)
    for end in outcome.ends:
        delays[end.call].append(NEVER_MS if end.delay_ms is None else end.delay_ms)
    return cut, delays


def chosen(points: Sequence[Point], target: Target) -> Point:
    """The setting with the shortest delay among those that cut off few enough; else the one that cuts off least."""
    fitting = [point for point in points if point.cut <= target.cut]
    return min(fitting, key=lambda point: point.delay_ms) if fitting else min(points, key=lambda point: point.cut)


def by_source(outcome: Outcome) -> list[dict[str, Any]]:
    """The same figures for each source of turns."""
    holds, cut = Counter(hold.source for hold in outcome.holds), Counter[str]()
    delays: dict[str, list[int]] = defaultdict(list)
    for hold in outcome.holds:
        cut[hold.source] += hold.was_cut
    for end in outcome.ends:
        delays[end.source].append(NEVER_MS if end.delay_ms is None else end.delay_ms)
    return [
        {
            "source": source,
            "holds": holds[source],
            "cut_off": cut[source],
            "ends": len(delays[source]),
            "mean_delay_ms": round(sum(delays[source]) / len(delays[source])),
        }
        for source in sorted(delays)
    ]
