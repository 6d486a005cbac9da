"""The last 30 s of what a worker said of a call's audio, kept so that what the bus missed can be said again.

Frames are kept as they were sent: said again, they have the same pts and seq, and readers drop those they know.
"""

from collections import deque
from typing import Final

from voxbus_contracts.subjects import AudioDirection

KEPT_MS: Final = 30_000.0
_BEFORE_LOSS_MS: Final = 4_000.0
"""A server that freezes or is cut off takes frames for up to 3 s before the client's pings notice."""


class FrameRing:
    """Frames in the order they were published; about 1 MB a direction when full."""

    def __init__(self, kept_ms: float = KEPT_MS) -> None:
        self._kept_ms = kept_ms
        # Side by side and not in tuples: garbage collection would look at each of some two thousand per call.
        self._times_ms: deque[float] = deque()
        self._directions: deque[AudioDirection] = deque()
        self._payloads: deque[bytes] = deque()
        self._lost_at_ms: float | None = None

    @property
    def is_lost(self) -> bool:
        """The bus went away, and what it missed has not been said again yet."""
        return self._lost_at_ms is not None

    def keep(self, at_ms: float, direction: AudioDirection, payload: bytes) -> None:
        """A frame as it was sent at `at_ms`, which never goes back."""
        times_ms = self._times_ms
        times_ms.append(at_ms)
        self._directions.append(direction)
        self._payloads.append(payload)
        while times_ms[0] < at_ms - self._kept_ms:
            times_ms.popleft()
            self._directions.popleft()
            self._payloads.popleft()

    def forget(self) -> None:
        """Lets go of all frames: nothing will be said again."""
        for each in (self._times_ms, self._directions, self._payloads):
            each.clear()

    def bus_lost(self, now_ms: float) -> None:
        """The bus went away; a second loss before the return changes nothing."""
        if self._lost_at_ms is None:
            self._lost_at_ms = now_ms

    def bus_back(self) -> list[tuple[AudioDirection, bytes]]:
        """Everything since 4 s before the loss, oldest first: what was under way then may be lost too."""
        if self._lost_at_ms is None:
            return []
        since_ms, self._lost_at_ms = self._lost_at_ms - _BEFORE_LOSS_MS, None
        return self.since(since_ms)

    def since(self, since_ms: float) -> list[tuple[AudioDirection, bytes]]:
        """Everything since then, oldest first."""
        frames = zip(self._times_ms, self._directions, self._payloads, strict=True)
        return [(direction, payload) for at_ms, direction, payload in frames if at_ms >= since_ms]
