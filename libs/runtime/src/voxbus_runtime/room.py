"""Whether a worker may take one more new call. Pure.

New calls get what is left: a worker that cannot keep up takes none, and slots that calls without an owner will need
are kept for them. A call that is under way is taken by any worker with a slot, however busy: the other choice is to
lose it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from voxbus_runtime.liveness import Vital
from voxbus_runtime.ownership import Held

JUDGED_FROM_SAMPLES: Final = 50
"""5 s at one every 100 ms: loading a model or importing a library stops a loop once and says nothing of calls."""


@dataclass(frozen=True, slots=True)
class Room:
    """A worker's load. `orphans` = calls of its stage whose owner is gone, unknown, or has given them back."""

    slots: int
    calls: int
    orphans: int = 0
    is_overloaded: bool = False

    @property
    def is_full(self) -> bool:
        """No call at all may be taken."""
        return self.calls >= self.slots

    @property
    def refuses_new(self) -> str | None:
        """Why a call nobody has served yet is left on the queue: `slots`, `lag`, `orphans`; None = it is welcome."""
        if self.is_full:
            return "slots"
        if self.is_overloaded:
            return "lag"
        return "orphans" if self.slots - self.calls <= self.orphans else None


def count_orphans(entries: Iterable[tuple[str, Held]], vital: Callable[[str], Vital]) -> int:
    """Calls among a stage's OWNERS that somebody will have to take over."""
    return sum(1 for _, held in entries if not held.owner.worker or vital(held.owner.worker) is not Vital.ALIVE)


def percentile_95(lags_ms: Sequence[float]) -> float:
    """Of at least one sample."""
    return sorted(lags_ms)[int(len(lags_ms) * 0.95)]


def is_overloaded(lags_ms: Sequence[float], limit_ms: float) -> bool:
    """Whether one in twenty of the loop's timers rings later than that; never before enough of them have rung."""
    return len(lags_ms) >= JUDGED_FROM_SAMPLES and percentile_95(lags_ms) > limit_ms
