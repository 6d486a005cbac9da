"""How long this caller pauses inside a turn: a running estimate that begins with what callers do in general. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voxbus_llm_orchestrator.state import CallState, Stretch, Turn

SHORTEST_MS: Final = 200
"""The vad reports no shorter pause."""

TYPICAL_BEYOND_MS: Final = 280
"""How much longer than the shortest pauses inside a turn are on average: recordings of people speaking at length."""

_LONGEST_MS: Final = 1_500
"""Longer gaps are not pauses of one turn; they would make the estimate useless for the others."""

_PRIOR_WEIGHT: Final = 8
"""What callers do in general counts like this many pauses of this one."""

_CUT_OFF_WITHIN_MS: Final = 700
"""Who speaks again this soon after a turn was committed had not ended it."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Pauses heard so far: how many, and by how much they were longer than the shortest, together, ms."""

    count: int = 0
    beyond_sum_ms: int = 0

    def heard(self, pause_ms: int) -> "Pauses":
        """With one more pause; gaps that are none change nothing."""
        if not SHORTEST_MS <= pause_ms <= _LONGEST_MS:
            return self
        return Pauses(self.count + 1, self.beyond_sum_ms + pause_ms - SHORTEST_MS)

    @property
    def beyond_ms(self) -> float:
        """By how much this caller's pauses exceed the shortest on average, drawn towards everybody's at first."""
        return (_PRIOR_WEIGHT * TYPICAL_BEYOND_MS + self.beyond_sum_ms) / (_PRIOR_WEIGHT + self.count)


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
