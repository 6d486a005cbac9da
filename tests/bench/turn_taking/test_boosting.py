"""Trees that are grown on numbers: they learn what depends on two of them, and grow the same twice."""

import numpy as np
import pytest
from boosting import area_under_curve, boosted


def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three numbers; an end where the first is high, but only if the second is."""
    rows = np.random.default_rng(seed).normal(size=(1_500, 3))
    return rows, (rows[:, 0] > 0) & (rows[:, 1] > 0)


def test_they_tell_apart_rows_they_have_not_seen() -> None:
    rows, is_end = made(1)
    trees = boosted(rows, is_end, np.ones(len(rows)), rounds=40, seed=1)
    others, are_ends = made(2)
    assert area_under_curve(are_ends, trees.log_odds(others)) > 0.95


def test_the_same_rows_and_seed_grow_the_same_trees() -> None:
    rows, is_end = made(1)
    one, two = (boosted(rows, is_end, np.ones(len(rows)), rounds=5, seed=3) for _ in range(2))
    assert (one.adds == two.adds).all()
    assert (one.asks == two.asks).all()


def test_numbers_that_say_nothing_give_no_area() -> None:
    rows, is_end = made(1)
    trees = boosted(rows[:, 2:], is_end, np.ones(len(rows)), rounds=10, seed=1)
    assert 0.35 < area_under_curve(made(2)[1], trees.log_odds(made(2)[0][:, 2:])) < 0.65


def test_the_area_is_one_for_the_right_order_and_a_half_for_ties() -> None:
    is_end = np.array([False, True, False, True])
    assert area_under_curve(is_end, np.array([0.0, 2.0, 1.0, 3.0])) == 1.0
    assert area_under_curve(is_end, np.array([3.0, 1.0, 2.0, 0.0])) == 0.0
    assert area_under_curve(is_end, np.zeros(4)) == pytest.approx(0.5)
