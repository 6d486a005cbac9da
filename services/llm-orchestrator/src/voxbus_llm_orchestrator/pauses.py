"""How long this caller pauses inside a turn: a running estimate that begins with what callers do in general. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voxbus_llm_orchestrator.state import CallState, Stretch, Turn

TYPICAL_MS: Final = 600
"""Median pause inside a turn, measured November 2026 over pauses of at least 300 ms in recordings of many people."""

_PRIOR_WEIGHT: Final = 4
"""The typical pause counts like this many pauses of the caller."""

_SHORTEST_MS: Final = 200
_LONGEST_MS: Final = 3_000
"""Shorter gaps are consonants, longer ones are not counted as pauses of one turn."""

_CUT_OFF_WITHIN_MS: Final = 700
"""Who speaks again this soon after a turn was committed had not ended it."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Pauses heard so far: how many, and the sum of the logarithms of their lengths in ms."""

    count: int = 0
    log_sum: float = 0.0

    def heard(self, pause_ms: int) -> "Pauses":
        """With one more pause; gaps that are none change nothing."""
        if not _SHORTEST_MS <= pause_ms <= _LONGEST_MS:
            return self
        return Pauses(self.count + 1, self.log_sum + math.log(pause_ms))

    @property
    def typical_ms(self) -> float:
        """The caller's median pause, drawn towards everybody's while few were heard."""
        prior = _PRIOR_WEIGHT * math.log(TYPICAL_MS)
        return math.exp((prior + self.log_sum) / (_PRIOR_WEIGHT + self.count))


def pauses_of(state: CallState) -> Pauses:
    """The caller's pauses on this call: silence between two stretches of the same turn."""
    pauses = Pauses()
    committed = {turn.anchor_pts_ms: turn for turn in state.turns.values()}
    previous: Stretch | None = None
    for seq in sorted(state.stretches):
        stretch = state.stretches[seq]
        if previous is not None and previous.stopped_pts_ms is not None:
            gap_ms = stretch.started_pts_ms - previous.stopped_pts_ms
            if _is_inside_a_turn(committed, previous.stopped_pts_ms, gap_ms):
                pauses = pauses.heard(gap_ms)
        previous = stretch
    return pauses


def _is_inside_a_turn(committed: Mapping[int, Turn], stopped_pts_ms: int, gap_ms: int) -> bool:
    turn = committed.get(stopped_pts_ms)
    return turn is None or gap_ms <= turn.endpointing_ms + turn.recognition_ms + _CUT_OFF_WITHIN_MS
