"""Who is alive, from heartbeats. Pure; `now` in seconds of any steady clock."""

from dataclasses import dataclass, field
from enum import Enum

HEARTBEAT_S = 0.25
SUSPECT_AFTER_S = 1.0


class Vital(Enum):
    """What is known of a worker."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    UNKNOWN = "unknown"
    """Never heard, but we have not listened long enough to say."""


@dataclass(slots=True)
class Liveness:
    """Heartbeats as one process hears them. While it hears nobody (bus lost) it must be told to `reset`."""

    listening_since_s: float
    _last_heard_s: dict[str, float] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)

    def heard(self, worker: str, now_s: float) -> None:
        if worker not in self._gone:
            self._last_heard_s[worker] = now_s

    def gone(self, worker: str) -> None:
        """Its process has ended: no need to wait for silence. Worker ids are never used again."""
        self._gone.add(worker)
        self._last_heard_s.pop(worker, None)

    def reset(self, now_s: float) -> None:
        """We were deaf until now: nobody may be suspected for what we could not hear."""
        self.listening_since_s = now_s

    def vital(self, worker: str, now_s: float) -> Vital:
        if worker in self._gone:
            return Vital.SUSPECT
        reference = max(self._last_heard_s.get(worker, 0.0), self.listening_since_s)
        if now_s - reference > SUSPECT_AFTER_S:
            return Vital.SUSPECT
        return Vital.ALIVE if worker in self._last_heard_s else Vital.UNKNOWN
