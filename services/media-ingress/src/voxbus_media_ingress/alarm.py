"""A precise timer on the process's monotonic clock."""

import asyncio
import time
from collections.abc import Callable


def now_ms() -> float:
    """Milliseconds of the monotonic clock. The loop's own time is cached and whole milliseconds under uvloop."""
    return time.monotonic_ns() / 1_000_000


class Alarm:
    """Rings once per setting, at the time set or a moment later; may ring earlier after a time was moved back.

    `on_ring` gets the time to act for, never before the one that was set: loops fire timers up to 1 ms early.
    """

    __slots__ = ("_at_ms", "_handle", "_loop", "_on_ring")

    def __init__(self, on_ring: Callable[[float], None]) -> None:
        self._on_ring = on_ring
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._at_ms = 0.0

    def set(self, at_ms: float | None) -> None:
        """Moves the alarm; None = no need to ring."""
        if at_ms is None or (self._handle is not None and self._at_ms <= at_ms):
            return
        self.stop()
        self._at_ms = at_ms
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_later(max(0.0, at_ms - now_ms()) / 1_000, self._ring)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self._on_ring(max(now_ms(), self._at_ms))
