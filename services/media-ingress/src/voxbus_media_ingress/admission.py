"""A call is answered when every stage has an owner: the claims are its admission."""

from collections.abc import Callable, Iterable
from typing import Final

from voxbus_media_ingress.alarm import Alarm, now_ms

RINGS_AFTER_MS: Final = 1_000.0
"""A free worker takes a call within 0.2 s; a caller who waits longer than this is told so."""

_Missing = list[str]


class Admission:
    """Waits for the stages' claims.

    Calls `on_waiting` with the stages that are missing once the wait is worth mentioning, and again when one of them
    has claimed; then `on_admitted` once, or `on_late` with those that are missing at the deadline.
    """

    def __init__(
        self,
        stages: Iterable[str],
        on_waiting: Callable[[_Missing], None],
        on_admitted: Callable[[], None],
        on_late: Callable[[_Missing], None],
    ) -> None:
        self._missing = set(stages)
        self._on_waiting = on_waiting
        self._on_admitted = on_admitted
        self._on_late = on_late
        self.is_waiting = False
        self._is_told = False
        self._ring_alarm = Alarm(lambda _: self._tell())
        self._alarm = Alarm(lambda _: self._give_up())

    def wait(self, timeout_ms: float) -> None:
        self.is_waiting = True
        self._ring_alarm.set(now_ms() + RINGS_AFTER_MS)
        self._alarm.set(now_ms() + timeout_ms)
        self._admit()

    def claimed(self, stage: str) -> None:
        is_new = stage in self._missing
        self._missing.discard(stage)
        self._admit()
        if is_new and self._is_told and self.is_waiting:
            self._tell()

    def stop(self) -> None:
        self.is_waiting = False
        self._ring_alarm.stop()
        self._alarm.stop()

    def _admit(self) -> None:
        if self.is_waiting and not self._missing:
            self.stop()
            self._on_admitted()

    def _tell(self) -> None:
        if self.is_waiting:
            self._is_told = True
            self._on_waiting(sorted(self._missing))

    def _give_up(self) -> None:
        if self.is_waiting:
            self.stop()
            self._on_late(sorted(self._missing))
