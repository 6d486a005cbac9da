"""What to do with a claim, and which calls to put back on the queue. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.config import Owner
from voxbus_runtime.liveness import Vital

PUT_BACK_AGAIN_S: Final = 3.0
"""A claim that was put back and taken by nobody is put back again after this long."""
STRAY_AFTER_S: Final = 3.0
"""So long a key may name a worker that does not serve the call: it is about to, or about to remove the key."""


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


class Strays:
    """Finds keys that name this worker for calls it does not serve: it took or removed them, and never heard so."""

    __slots__ = ("_since_s",)

    def __init__(self) -> None:
        self._since_s: dict[tuple[str, int], float] = {}

    def due(
        self, entries: Iterable[tuple[str, Held]], is_stray: Callable[[str, Held], bool], now_s: float
    ) -> list[tuple[str, Held]]:
        """Entries that were strays whenever somebody looked, for `STRAY_AFTER_S` at least."""
        strays = {(key, held.revision): (key, held) for key, held in entries if is_stray(key, held)}
        self._since_s = {each: self._since_s.get(each, now_s) for each in strays}
        return [strays[each] for each, since_s in self._since_s.items() if now_s - since_s >= STRAY_AFTER_S]
