"""Boosted trees of two questions each, for a few thousand rows of a few dozen numbers; numpy alone, seeded."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EDGES: Final = 24
_LEARNING: Final = 0.08
_DAMPING: Final = 5.0
"""Keeps leaves of few rows small."""
_LEAST: Final = 8.0
"""Weight of rows a leaf must have, each p (1 - p) of its own."""
_ROWS: Final = 0.6
_COLUMNS: Final = 0.5
"""Shares drawn for each tree."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Three questions a tree (number, threshold) and four leaves: no-no, no-yes, yes-no, yes-yes."""

    start: float
    asks: NDArray[np.intp]
    above: Floats
    adds: Floats

    def log_odds(self, rows: Floats) -> Floats:
        yes = rows[:, self.asks] > self.above
        leaf = np.where(yes[:, :, 0], 2 + yes[:, :, 2], yes[:, :, 1])
        return self.start + self.adds[np.arange(len(self.adds)), leaf].sum(axis=1)


@dataclass(frozen=True, slots=True)
class _Split:
    column: int
    above: float


_NEVER: Final = _Split(0, float("inf"))
"""Everything is on the no side."""


def boosted(rows: Floats, is_end: NDArray[np.bool_], weight: Floats, rounds: int, seed: int) -> Trees:
    """Log odds of `is_end`, by steps against the gradient of the logistic loss."""
    rng = np.random.default_rng(seed)
    inner = np.linspace(0, 1, _EDGES + 2)[1:-1]
    edges = [np.unique(np.quantile(column, inner)) for column in rows.T]
    odds = np.full(len(rows), np.log(weight[is_end].sum() / weight[~is_end].sum()))
    start = float(odds[0])
    asks, above, adds = [], [], []
    for _ in range(rounds):
        share = 1 / (1 + np.exp(-odds))
        slopes, bends = weight * (share - is_end), weight * share * (1 - share)
        drawn = rng.random(len(rows)) < _ROWS
        columns = np.sort(rng.choice(rows.shape[1], max(1, int(_COLUMNS * rows.shape[1])), replace=False))
        splits, leaves = _tree(rows, edges, (slopes, bends), drawn, columns)
        tree = Trees(
            0.0,
            np.array([[split.column for split in splits]]),
            np.array([[split.above for split in splits]]),
            _LEARNING * leaves[np.newaxis],
        )
        odds = odds + tree.log_odds(rows)
        asks.append(tree.asks)
        above.append(tree.above)
        adds.append(tree.adds)
    return Trees(start, np.concatenate(asks), np.concatenate(above), np.concatenate(adds))


def _tree(
    rows: Floats,
    edges: list[Floats],
    gradient: tuple[Floats, Floats],
    drawn: NDArray[np.bool_],
    columns: NDArray[np.intp],
) -> tuple[list[_Split], Floats]:
    first = _best(rows, edges, gradient, drawn, columns)
    is_yes = rows[:, first.column] > first.above
    splits, leaves = [first], list[float]()
    for side in (~is_yes, is_yes):
        second = _best(rows, edges, gradient, drawn & side, columns)
        above = rows[:, second.column] > second.above
        splits.append(second)
        leaves += [_step(gradient, drawn & side & half) for half in (~above, above)]
    return splits, np.array(leaves)


def _best(
    rows: Floats,
    edges: list[Floats],
    gradient: tuple[Floats, Floats],
    used: NDArray[np.bool_],
    columns: NDArray[np.intp],
) -> _Split:
    """The question that lowers the loss most; one nobody answers with yes when none does."""
    slopes, bends = gradient[0][used], gradient[1][used]
    slope, bend = slopes.sum(), bends.sum()
    best, least = _NEVER, slope**2 / (bend + _DAMPING) + 1e-6
    for column in columns:
        bins = np.searchsorted(edges[column], rows[used, column], "left")
        below = np.bincount(bins, slopes, len(edges[column]) + 1).cumsum()[:-1]
        weight = np.bincount(bins, bends, len(edges[column]) + 1).cumsum()[:-1]
        gains = below**2 / (weight + _DAMPING) + (slope - below) ** 2 / (bend - weight + _DAMPING)
        gains[(weight <= _LEAST) | (bend - weight <= _LEAST)] = 0.0
        if len(gains) and gains.max() > least:
            best, least = _Split(int(column), float(edges[column][gains.argmax()])), float(gains.max())
    return best


def _step(gradient: tuple[Floats, Floats], used: NDArray[np.bool_]) -> float:
    return float(-gradient[0][used].sum() / (gradient[1][used].sum() + _DAMPING))


def area_under_curve(is_end: NDArray[np.bool_], odds: Floats) -> float:
    """Probability that an end scores above a pause; ties count half."""
    _, places, counts = np.unique(odds, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    ends, pauses = int(is_end.sum()), int((~is_end).sum())
    return float((ranks[is_end].sum() - ends * (ends + 1) / 2) / (ends * pauses))
