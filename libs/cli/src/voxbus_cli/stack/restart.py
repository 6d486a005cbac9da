"""When a process that died is started again. Pure: a policy over uptimes."""

from dataclasses import dataclass
from typing import Final

FIRST_DELAY_S: Final = 0.2
LONGEST_DELAY_S: Final = 5.0
STEADY_AFTER_S: Final = 10.0
"""A process that lived this long was healthy: its next death is a first death again."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """What is known about a process's deaths: how many quick ones in a row."""

    quick_deaths: int = 0

    def after_death(self, uptime_s: float) -> "Restarts":
        """One more death, after this long a life."""
        return Restarts(1 if uptime_s >= STEADY_AFTER_S else self.quick_deaths + 1)

    @property
    def delay_s(self) -> float:
        """How long to wait before the next start: at first not at all, callers wait; then 0.2 s doubling to 5 s."""
        if self.quick_deaths < 2:
            return 0.0
        # Beyond 2^5 the longest delay is reached; an unbounded exponent would overflow one day.
        return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self.quick_deaths - 2, 5))
