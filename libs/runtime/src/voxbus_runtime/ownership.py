"""What to do with a claim, and which calls to put back on the queue. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.config import Owner
from voxbus_runtime.liveness import Vital

PUT_BACK_AGAIN_S: Final = 3.0
"""A claim that was put back and taken by nobody is put back again after this long."""


@dataclass(frozen=True, slots=True)
class Held:
    """An entry of OWNERS: who holds the stage, at which revision."""

    owner: Owner
    revision: int


@dataclass(frozen=True, slots=True)
class Take:
    """Try compare-and-set on this revision; 0 = the key must not exist."""

    last_revision: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Cannot tell yet; look again shortly."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Somebody alive has it: the claim is done."""


def judge_claim(held: Held | None, vital: Callable[[str], Vital]) -> Take | Wait | Drop:
    """May a worker that received a claim take the call?"""
    if held is None:
        return Take(0)
    if not held.owner.worker:
        return Take(held.revision)
    match vital(held.owner.worker):
        case Vital.SUSPECT:
            return Take(held.revision)
        case Vital.UNKNOWN:
            return Wait()
        case Vital.ALIVE:
            return Drop()


class PutBacks:
    """Remembers which suspects' calls were put back, and when."""

    __slots__ = ("_at_s",)

    def __init__(self) -> None:
        self._at_s: dict[tuple[str, int], float] = {}

    def due(
        self, entries: Iterable[tuple[str, Held]], vital: Callable[[str], Vital], now_s: float
    ) -> list[tuple[str, Held]]:
        """Entries whose owner is suspect and that were not put back lately; notes them as put back."""
        due: list[tuple[str, Held]] = []
        for key, held in entries:
            if not held.owner.worker or vital(held.owner.worker) is not Vital.SUSPECT:
                continue
            last = self._at_s.get((key, held.revision))
            if last is None or now_s - last >= PUT_BACK_AGAIN_S:
                self._at_s[(key, held.revision)] = now_s
                due.append((key, held))
        return due

    def forget(self, key: str) -> None:
        for known in [k for k in self._at_s if k[0] == key]:
            del self._at_s[known]
