"""Sees to it that nothing is left of a deleted call: its artifacts go once it has ended. `may_erase` is pure."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from structlog.stdlib import BoundLogger

from voxbus_contracts import CallRef
from voxbus_control_api.errors import Unavailable
from voxbus_database import DatabaseFault

_EVERY_S: Final = 1.0
LONGEST_CALL_MS: Final = 13 * 3_600_000
"""No call lasts longer: whatever became of its end, it is over."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A call whose record is gone; `had_ended` as far as the record knew."""

    ref: CallRef
    deleted_at_ms: int
    had_ended: bool


def may_erase(call: Deleted, now_ms: int, *, has_ended: bool) -> bool:
    """While the call goes on, more would be stored after its artifacts went."""
    return call.had_ended or has_ended or now_ms - call.deleted_at_ms > LONGEST_CALL_MS


class Erasable(Protocol):
    async def to_erase(self) -> list[Deleted]: ...

    async def erased(self, ref: CallRef, now_ms: int) -> None: ...


class ErasedOnBus(Protocol):
    """Both raise Unavailable."""

    async def has_ended(self, ref: CallRef) -> bool: ...

    async def tell_deleted(self, ref: CallRef) -> None: ...


async def _nobody(_ref: CallRef) -> None:
    return


class Eraser:
    """Looks once a second."""

    def __init__(
        self,
        calls: Erasable,
        bus: ErasedOnBus,
        now_ms: Callable[[], int],
        log: BoundLogger,
        tell: Callable[[CallRef], Awaitable[None]] = _nobody,
    ) -> None:
        """`tell` the call's server, last of all; it never raises."""
        self._calls = calls
        self._bus = bus
        self._now_ms = now_ms
        self._log = log
        self._tell = tell

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        while True:
            await sleep(_EVERY_S)
            try:
                await self.look()
            except (Unavailable, DatabaseFault) as later:
                self._log.warning("cannot erase deleted calls now", problem=str(later))

    async def look(self) -> None:
        """One round."""
        for call in await self._calls.to_erase():
            has_ended = call.had_ended or await self._bus.has_ended(call.ref)
            if may_erase(call, self._now_ms(), has_ended=has_ended):
                await self._bus.tell_deleted(call.ref)
                await self._calls.erased(call.ref, self._now_ms())
                await self._tell(call.ref)
