"""Whether something grows for ever: slopes with their confidence, levels before and after, amounts per call. Pure."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist, fmean
from typing import Final

CONFIDENCE: Final = 0.95
"""Of the two-sided interval around a slope."""
FEWEST: Final = 4
"""Independent samples below which no slope is told."""
_S_PER_HOUR: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Slope:
    """Units per hour by least squares over `hours`, and the ends of its interval.

    `samples` counts what is independent in them.
    """

    per_hour: float
    low: float
    high: float
    samples: float
    hours: float

    @property
    def makes(self) -> float:
        """Units it surely grew over the time that was looked at."""
        return self.low * self.hours


@dataclass(frozen=True, slots=True)
class Rule:
    """What a measure is held to; a bound that is None is not looked at.

    `per_hour`: a slope that is surely beyond it, under an even load, is a leak, if it also makes at least `least` units
    over the time that was looked at: less is what any process takes in its first minutes.
    `left`: so much more than before the first call may be there once all calls are over and done with.
    `per_call`: so much may be kept of each call, because it is meant to be kept.
    """

    unit: str
    per_hour: float | None = None
    least: float = 0.0
    left: float | None = None
    per_call: float | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """One measure over a run: under load, behind warm-up, and at rest before and after it."""

    name: str
    at_s: Sequence[float]
    values: Sequence[float]
    before: float
    after: float


class State(StrEnum):
    """What came of a measure; NOT_SURE: the run was too short to exclude a leak of the slope's bound."""

    STEADY = "steady"
    NOT_SURE = "not sure"
    LEAK = "LEAK"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of the report. `why` names what was found beyond its bound."""

    name: str
    unit: str
    before: float
    after: float
    slope: Slope | None
    per_call: float
    state: State
    why: str = ""


def judge(course: Course, rule: Rule, calls: int) -> Finding:
    """Holds a measure against its rule; `calls` = how many were made between before and after."""
    slope = slope_of(course.at_s, course.values)
    left = course.after - course.before
    per_call = left / max(1, calls)
    wrong: list[str] = []
    if rule.per_hour is not None and slope is not None and slope.low > rule.per_hour and slope.makes >= rule.least:
        wrong.append(f"grows by at least {slope.low:.3g} {rule.unit} an hour, more than {rule.per_hour:g}")
    if rule.left is not None and left > rule.left:
        wrong.append(f"{left:g} {rule.unit} more than before the first call, {rule.left:g} allowed")
    if rule.per_call is not None and per_call > rule.per_call:
        wrong.append(f"{per_call:.3g} {rule.unit} kept per call, {rule.per_call:g} allowed")
    is_open = rule.per_hour is not None and (slope is None or slope.high > rule.per_hour)
    state = State.LEAK if wrong else State.NOT_SURE if is_open else State.STEADY
    return Finding(course.name, rule.unit, course.before, course.after, slope, per_call, state, "; ".join(wrong))


def slope_of(at_s: Sequence[float], values: Sequence[float]) -> Slope | None:
    """Least squares; None where there are too few samples, or all of one moment.

    Memory moves in steps and stays there, so that a sample says little that its neighbour has not said. The interval
    is therefore that of as many samples as the residuals' correlation with their neighbours leaves independent.
    """
    count = len(values)
    if count < FEWEST:
        return None
    middle_s, middle = fmean(at_s), fmean(values)
    spread = sum((at - middle_s) ** 2 for at in at_s)
    if spread <= 0:
        return None
    slope = sum((at - middle_s) * (value - middle) for at, value in zip(at_s, values, strict=True)) / spread
    residuals = [value - middle - slope * (at - middle_s) for at, value in zip(at_s, values, strict=True)]
    squares = sum(residual * residual for residual in residuals)
    if squares <= 1e-18 * max(1.0, sum(value * value for value in values)):
        return _slope(slope, 0.0, count, at_s)
    neighbours = sum(one * other for one, other in itertools.pairwise(residuals))
    likeness = min(0.95, max(0.0, neighbours / squares))
    independent = count * (1 - likeness) / (1 + likeness)
    if independent < FEWEST:
        return None
    error = math.sqrt(squares / (independent - 2) / (spread * independent / count))
    return _slope(slope, error * student(CONFIDENCE, independent - 2), independent, at_s)


def _slope(per_s: float, either_side: float, samples: float, at_s: Sequence[float]) -> Slope:
    low, high = per_s - either_side, per_s + either_side
    hours = (max(at_s) - min(at_s)) / _S_PER_HOUR
    return Slope(per_s * _S_PER_HOUR, low * _S_PER_HOUR, high * _S_PER_HOUR, samples, hours)


def student(confidence: float, freedom: float) -> float:
    """Student's two-sided quantile from the normal one, for at least 2 degrees of freedom; within 4 % there.

    Source: Abramowitz and Stegun, 26.7.5.
    """
    x = NormalDist().inv_cdf((1 + confidence) / 2)
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    fourth = (79 * x**9 + 776 * x**7 + 1_482 * x**5 - 1_920 * x**3 - 945 * x) / 92_160
    return x + first / freedom + second / freedom**2 + third / freedom**3 + fourth / freedom**4
