"""Starts scheduled calls when their time has come, and says on the bus what an earlier process could not.

Resources are fetched at the start, so that an assistant changed since then speaks as it is now. A call is started by
its id: doing it twice, here or in another replica, is doing it once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from structlog.stdlib import BoundLogger

from voxbus_contracts import CallRef
from voxbus_contracts.config import CallConfig
from voxbus_control_api import metrics
from voxbus_control_api.call_request import kind_of, parse_request
from voxbus_control_api.call_store import NewCall
from voxbus_control_api.calls.asked import with_asked
from voxbus_control_api.calls.planning import plan_call
from voxbus_control_api.calls.resolving import Missing
from voxbus_control_api.calls.schedule import TOO_LATE, Unstarted, due, is_too_late
from voxbus_control_api.calls.starting import Starter, facts_of
from voxbus_control_api.errors import BadRequest, Misconfigured, Unavailable
from voxbus_database import DatabaseFault

_EVERY_S: Final = 1.0
_FORGET_EVERY_ROUNDS: Final = 3_600

_TOO_LATE_MESSAGE: Final = (
    "The call could not be started before schedulePlan.latestAt: "
    "the server was not there, or the organisation had too many calls."
)

NOT_VALID: Final = "call.start.error-get-resources-validation"


class CallsOnBus(Protocol):
    """All raise Unavailable."""

    async def stored_config(self, ref: CallRef) -> CallConfig | None: ...

    async def new_config(self, config: CallConfig) -> CallConfig: ...

    async def announce(self, config: CallConfig) -> None: ...

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool: ...


class Unopened(Protocol):
    async def unstarted(self, now_ms: int) -> list[Unstarted]: ...

    async def forget_repeats(self, now_ms: int) -> None: ...


class Admitting(Protocol):
    async def admit(self, now_ms: int) -> list[CallRef]:
        """Calls that have waited for a place of their organisation, or for their time, and are let in now."""
        ...


class DueCalls:
    """Looks once a second."""

    def __init__(
        self, waiting: Unopened, places: Admitting, starter: Starter, bus: CallsOnBus, log: BoundLogger
    ) -> None:
        self._waiting = waiting
        self._places = places
        self._starter = starter
        self._bus = bus
        self._log = log

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        rounds = 0
        while True:
            await sleep(_EVERY_S)
            try:
                await self.look()
                if rounds % _FORGET_EVERY_ROUNDS == 0:
                    await self._waiting.forget_repeats(self._starter.now_ms())
            except (Unavailable, DatabaseFault) as later:
                self._log.warning("cannot start due calls now", problem=str(later))
            rounds += 1

    async def look(self) -> None:
        """One round."""
        now_ms = self._starter.now_ms()
        let_in = {(ref.org, ref.call) for ref in await self._places.admit(now_ms)}
        for call in await self._waiting.unstarted(now_ms):
            if due(call, now_ms) or (call.org, call.call) in let_in:
                await self._start(call, now_ms)

    async def _start(self, call: Unstarted, now_ms: int) -> None:
        ref = CallRef(call.org, call.call)
        if is_too_late(call, now_ms):
            await self._end(ref, TOO_LATE, _TOO_LATE_MESSAGE)
            return
        try:
            config = await self._scheduled(ref) if call.is_scheduled else await self._bus.stored_config(ref)
        except Missing as gone:
            await self._end(ref, gone.reason, str(gone))
            return
        except (BadRequest, Misconfigured) as wrong:
            await self._end(ref, NOT_VALID, str(wrong))
            return
        if config is None:
            await self._end(ref, NOT_VALID, "The configuration of the call is not kept any more.")
            return
        if config.is_waiting:
            config = config.model_copy(update={"is_waiting": False})
            await self._starter.bus.store_config(config)
        await self._bus.announce(config)
        if call.is_scheduled:
            metrics.CALLS_SCHEDULED_STARTED.inc()
            self._log.info("scheduled call started", call=call.call)

    async def _scheduled(self, ref: CallRef) -> CallConfig | None:
        """Made of today's resources; of an earlier try's where there was one. None when the call is gone."""
        facts = await self._starter.calls.facts(ref.org, ref.call)
        if facts is None:
            return None
        request = parse_request(facts.body)
        resolved = await self._starter.resolved(ref.org, request)
        plan = plan_call(request, resolved.speaker, kind_of(facts.body), resolved.phone_number)
        made = self._starter.configured(ref, plan)
        customer_number = request.customer.number if request.customer else None
        begun = facts_of(made, facts.body, facts.created_at_ms)
        new = NewCall(begun, plan.assistant_id, plan.squad_id, request.phone_number_id, customer_number)
        config = await self._bus.new_config(with_asked(made, new, self._starter.cluster_key))
        begun = facts_of(config, facts.body, facts.created_at_ms)
        await self._starter.calls.begin(begun, plan.assistant_id, plan.squad_id)
        return config

    async def _end(self, ref: CallRef, reason: str, message: str) -> None:
        await self._bus.end_unclaimed(ref, reason, message)
        self._log.info("a call could not be started", call=ref.call, reason=reason)
