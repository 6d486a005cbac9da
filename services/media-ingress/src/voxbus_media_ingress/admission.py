"""A call is answered when every stage has an owner: the claims are its admission."""

from collections.abc import Callable, Iterable

from voxbus_media_ingress.alarm import Alarm, now_ms


class Admission:
    """Waits for the stages' claims; calls `on_admitted` once, or `on_late` with the stages that are missing."""

    def __init__(
        self, stages: Iterable[str], on_admitted: Callable[[], None], on_late: Callable[[list[str]], None]
    ) -> None:
        self._missing = set(stages)
        self._on_admitted = on_admitted
        self._on_late = on_late
        self._is_waiting = False
        self._alarm = Alarm(lambda _: self._give_up())

    def wait(self, timeout_ms: float) -> None:
        self._is_waiting = True
        self._alarm.set(now_ms() + timeout_ms)
        self._admit()

    def claimed(self, stage: str) -> None:
        self._missing.discard(stage)
        self._admit()

    def stop(self) -> None:
        self._is_waiting = False
        self._alarm.stop()

    def _admit(self) -> None:
        if self._is_waiting and not self._missing:
            self.stop()
            self._on_admitted()

    def _give_up(self) -> None:
        if self._is_waiting:
            self.stop()
            self._on_late(sorted(self._missing))
