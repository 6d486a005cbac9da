"""The judge of the soak suite sees what leaks, is at peace with what does not, and says when it cannot tell."""

import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from soak_judge import Course, Rule, State, judge, slope_of, student

MINUTES = [60.0 * minute for minute in range(45)]
MEMORY = Rule("MB", per_hour=8.0)


def course(values: Sequence[float], before: float = 100.0, after: float = 100.0) -> Course:
    return Course("vad memory", MINUTES[: len(values)], values, before, after)


def noise(seed: int, size: float) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(0, size) for _ in MINUTES]


def steps(seed: int, height: float) -> list[float]:
    """As an allocator's memory moves: up or down now and then, and there it stays."""
    rng, level, values = random.Random(seed), 0.0, list[float]()
    for _ in MINUTES:
        level = level * 0.7 + (rng.gauss(0, height) if rng.random() < 0.3 else 0.0)
        values.append(level)
    return values


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_of_twice_the_bound_is_found_in_45_minutes_of_noise(seed: int) -> None:
    leaking = [100 + 16.0 * at / 3_600 + wobble for at, wobble in zip(MINUTES, noise(seed, 1.0), strict=True)]
    found = judge(course(leaking), MEMORY, 900)
    assert found.state is State.LEAK
    assert "more than 8" in found.why


@pytest.mark.parametrize("seed", range(20))
def test_a_steady_series_is_no_leak_however_it_wobbles(seed: int) -> None:
    assert judge(course([100 + wobble for wobble in noise(seed, 1.0)]), MEMORY, 900).state is State.STEADY
    assert judge(course([100 + wobble for wobble in steps(seed, 2.0)]), MEMORY, 900).state is not State.LEAK


def test_noise_that_could_hide_a_leak_is_told_as_such() -> None:
    assert judge(course([100 + wobble for wobble in noise(1, 30.0)]), MEMORY, 900).state is State.NOT_SURE
    assert judge(course([100.0, 100.0, 100.0]), MEMORY, 9).state is State.NOT_SURE


def test_what_a_process_takes_in_its_first_minutes_is_no_leak_however_steep() -> None:
    first_minutes = Course("vad memory", MINUTES[:5], [60.0, 60.5, 61.0, 61.5, 62.0], 60, 62)
    assert judge(first_minutes, MEMORY, 20).state is State.LEAK
    assert judge(first_minutes, replace(MEMORY, least=5.0), 20).state is State.NOT_SURE
    leaking = course([100 + 16.0 * at / 3_600 for at in MINUTES])
    assert judge(leaking, replace(MEMORY, least=5.0), 900).state is State.LEAK


def test_what_is_left_of_ended_calls_is_a_leak_whatever_the_slope() -> None:
    rule = Rule("tasks", per_hour=4.0, left=3.0)
    assert judge(course([20.0] * 45, before=20, after=23), rule, 900).state is State.STEADY
    found = judge(course([20.0] * 45, before=20, after=24), rule, 900)
    assert (found.state, found.why) == (State.LEAK, "4 tasks more than before the first call, 3 allowed")


def test_what_is_meant_to_be_kept_of_a_call_may_grow_with_the_calls_and_no_faster() -> None:
    rule = Rule("keys", per_call=1.0)
    growing = [float(10 + minute * 20) for minute in range(45)]
    assert judge(course(growing, before=10, after=910), rule, 900).state is State.STEADY
    assert judge(course(growing, before=10, after=1_810), rule, 900).state is State.LEAK


@given(
    st.floats(-1e3, 1e3),
    st.floats(-1e4, 1e4),
    st.lists(st.floats(1, 600), min_size=4, max_size=60),
)
def test_the_slope_of_a_straight_line_is_its_own_at_whatever_moments(
    per_hour: float, first: float, pauses: list[float]
) -> None:
    at_s = [sum(pauses[: count + 1]) for count in range(len(pauses))]
    slope = slope_of(at_s, [first + per_hour * at / 3_600 for at in at_s])
    if slope is not None:  # rounding alone may look like noise that is too alike
        assert slope.per_hour == pytest.approx(per_hour, rel=1e-6, abs=1e-5)
        assert slope.low <= slope.per_hour <= slope.high


@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.1, 10))
def test_interval_and_verdict_do_not_depend_on_unit_or_level(seed: int, lift: float, scale: float) -> None:
    values = [wobble + 12.0 * at / 3_600 for at, wobble in zip(MINUTES, noise(seed, 1.0), strict=True)]
    plain, moved = slope_of(MINUTES, values), slope_of(MINUTES, [lift + scale * value for value in values])
    assert plain is not None
    assert moved is not None
    for name in ("per_hour", "low", "high"):
        assert getattr(moved, name) == pytest.approx(scale * getattr(plain, name), rel=1e-6, abs=1e-6)


def test_the_interval_holds_the_true_slope_about_as_often_as_it_says() -> None:
    held = {
        "independent": sum(_holds(slope_of(MINUTES, noise(seed, 1.0))) for seed in range(400)),
        "in steps": sum(_holds(slope_of(MINUTES, steps(seed, 1.0))) for seed in range(400)),
    }
    assert held["independent"] >= 0.92 * 400
    assert held["in steps"] >= 0.85 * 400


def _holds(slope: object) -> bool:
    return slope is None or (slope.low <= 0 <= slope.high)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("freedom", "quantile"), [(2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (43, 2.017)])
def test_students_quantile_is_the_tables(freedom: int, quantile: float) -> None:
    assert student(0.95, freedom) == pytest.approx(quantile, rel=0.04)


def test_a_rule_without_bounds_only_tells() -> None:
    found = judge(replace(course([1.0, 50.0, 100.0, 500.0]), after=900.0), Rule("MB"), 1)
    assert (found.state, found.per_call) == (State.STEADY, 800.0)
