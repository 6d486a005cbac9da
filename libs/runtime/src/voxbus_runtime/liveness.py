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
    me: str = ""
    """This process, whose own heartbeats come back to it unless it is deaf."""
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
        if not self._is_silent(worker, now_s):
            return Vital.ALIVE if worker in self._last_heard_s else Vital.UNKNOWN
        return Vital.UNKNOWN if self.is_deaf(now_s) else Vital.SUSPECT

    def is_deaf(self, now_s: float) -> bool:
        """We do not even hear ourselves: the server we hang on is frozen or cut off, and the client has not noticed."""
        return self.me in self._last_heard_s and self._is_silent(self.me, now_s)

    def silence_s(self, now_s: float) -> float:
        """Since anybody was heard, or since we listen."""
        return now_s - max(self.listening_since_s, *self._last_heard_s.values(), 0.0)

    def _is_silent(self, worker: str, now_s: float) -> bool:
        return now_s - max(self._last_heard_s.get(worker, 0.0), self.listening_since_s) > SUSPECT_AFTER_S
