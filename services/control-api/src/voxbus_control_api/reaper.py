"""Ends calls that nobody connected to, or that no orchestrator claimed: too late, or told to. `overdue` is pure."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from structlog.stdlib import BoundLogger

from voxbus_contracts import CallRef
from voxbus_contracts.commands import EndCall
from voxbus_control_api import metrics
from voxbus_control_api.errors import Unavailable
from voxbus_database import DatabaseFault

NO_CARRIER: Final = "call.start.error-get-transport"
NEVER_CONNECTED: Final = "call.in-progress.error-vapifault-transport-never-connected"
JOIN_TIMED_OUT: Final = "assistant-join-timed-out"

_MESSAGES: Final = {
    NO_CARRIER: "This server has no carrier that could place a phone call. The call was stored and nobody was dialled."
}

_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that has neither started nor ended; times in ms since the epoch."""

    ref: CallRef
    since_ms: int
    attached_at_ms: int | None
    has_transport: bool = True


def overdue(call: OpenCall, now_ms: int, join_timeout_ms: int) -> str | None:
    """The reason to end it for, None while it may still come to something."""
    if not call.has_transport:
        return NO_CARRIER
    if call.attached_at_ms is None:
        return NEVER_CONNECTED if now_ms - call.since_ms > join_timeout_ms else None
    return JOIN_TIMED_OUT if now_ms - call.attached_at_ms > join_timeout_ms else None


class Unclaimed(Protocol):
    """Ends a call unless an orchestrator has it."""

    async def asked_to_end(self, ref: CallRef) -> EndCall | None:
        """Somebody with the right to wants it over: the caller hung up, or no worker was free. Raises Unavailable."""
        ...

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool:
        """False: an orchestrator owns or owned it, and ends it. Raises Unavailable."""
        ...


class Reaper:
    """Looks once a second. A call that an orchestrator has claimed is left to it, and not looked at again."""

    def __init__(
        self,
        waiting: Callable[[], Awaitable[list[OpenCall]]],
        unclaimed: Unclaimed,
        log: BoundLogger,
        *,
        join_timeout_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._waiting = waiting
        self._unclaimed = unclaimed
        self._log = log
        self._join_timeout_ms = join_timeout_ms
        self._now_ms = now_ms
        self._done: set[CallRef] = set()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.look()
            except (Unavailable, DatabaseFault) as later:
                self._log.warning("cannot end overdue calls now", problem=str(later))

    async def look(self) -> None:
        """One round."""
        open_calls = await self._waiting()
        self._done &= {call.ref for call in open_calls}
        for call in open_calls:
            if call.ref in self._done:
                continue
            reason, message = await self._why_over(call)
            if reason is None:
                continue
            if await self._unclaimed.end_unclaimed(call.ref, reason, message):
                metrics.CALLS_REAPED.labels(reason).inc()
                self._log.info("overdue call ended", call=call.ref.call, reason=reason)
            self._done.add(call.ref)

    async def _why_over(self, call: OpenCall) -> tuple[str | None, str | None]:
        """Reason and message to end it with; both None while it may still come to something."""
        if call.attached_at_ms is not None and (asked := await self._unclaimed.asked_to_end(call.ref)) is not None:
            return asked.reason, asked.message
        reason = overdue(call, self._now_ms(), self._join_timeout_ms)
        return reason, _MESSAGES.get(reason) if reason else None
