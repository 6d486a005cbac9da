"""The last 30 s of both directions, kept so that what the bus missed while it was away can be said again.

Frames are kept as they were numbered: said again, they have the same pts and seq, and readers drop those they know.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

KEPT_MS: Final = 30_000.0
_BEFORE_LOSS_MS: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """A published frame: 640 bytes and what identifies them."""

    at_ms: float
    direction: Literal["caller", "played"]
    pts_ms: int
    seq: int
    pcm: bytes
    utterance_seq: int = 0
    filled: bool = False
    origin_unix_us: int = 0


class FrameRing:
    """Frames in the order they were published; about 1 MB a direction when full."""

    def __init__(self, kept_ms: float = KEPT_MS) -> None:
        self._kept_ms = kept_ms
        self._frames: deque[KeptFrame] = deque()
        self._lost_at_ms: float | None = None

    def keep(self, frame: KeptFrame) -> None:
        self._frames.append(frame)
        while self._frames[0].at_ms < frame.at_ms - self._kept_ms:
            self._frames.popleft()

    def bus_lost(self, now_ms: float) -> None:
        """The bus went away; a second loss before the return changes nothing."""
        if self._lost_at_ms is None:
            self._lost_at_ms = now_ms

    def bus_back(self) -> list[KeptFrame]:
        """Everything since 1 s before the loss, oldest first: what was under way then may be lost too."""
        if self._lost_at_ms is None:
            return []
        since_ms, self._lost_at_ms = self._lost_at_ms - _BEFORE_LOSS_MS, None
        return [frame for frame in self._frames if frame.at_ms >= since_ms]
