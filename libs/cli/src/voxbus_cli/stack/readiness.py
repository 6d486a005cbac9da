"""Which processes of the stack are healthy, and what the start still waits for. Pure."""

from collections.abc import Iterable
from typing import Final

HOPELESS_AFTER_DEATHS: Final = 3
"""A process that died this often in a row before it was ever healthy will not become so by itself."""


class Readiness:
    """What the start of a stack waits for, by the names of its processes."""

    def __init__(self, names: Iterable[str]) -> None:
        self._waiting = dict.fromkeys(names)
        self._total = len(self._waiting)
        self._never_ready = set(self._waiting)
        self._deaths: dict[str, int] = {}

    def is_ready(self, name: str) -> None:
        """A process said so itself, or answers on its port."""
        self._waiting.pop(name, None)
        self._never_ready.discard(name)

    def died(self, name: str) -> bool:
        """A death: it is waited for again. Gives whether to give up: it was never healthy and this was its third."""
        self._waiting[name] = None
        self._deaths[name] = self._deaths.get(name, 0) + 1
        return name in self._never_ready and self._deaths[name] >= HOPELESS_AFTER_DEATHS

    @property
    def waiting(self) -> tuple[str, ...]:
        return tuple(self._waiting)

    def step(self) -> str:
        """`starting 5/9, waiting for vad, stt-worker`"""
        done = self._total - len(self._waiting)
        names = f", waiting for {', '.join(self._waiting)}" if self._waiting else ""
        return f"starting {done}/{self._total}{names}"
