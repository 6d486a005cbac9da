"""What billing does with each event: enter it, and say what the call costs now."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from voxbus_billing import metrics
from voxbus_billing.account import Statement
from voxbus_billing.bill import bill
from voxbus_billing.facts import fact_of
from voxbus_billing.journal import Fact
from voxbus_billing.ledger import Ledger
from voxbus_billing.pacing import Pacing
from voxbus_bus import EventBroker, FactPublisher, Received
from voxbus_contracts import CallRef
from voxbus_contracts.events import CostUpdated
from voxbus_contracts.streams import BILLING
from voxbus_database import DatabaseUnreachable
from voxbus_runtime.errors import NotStored

_GATHER_S: Final = 0.5
"""A cost is told once a second at most: counting more often than twice in that time would be for nobody."""
_TOLD_EVERY_MS: Final = 1_000
_RETRY_S: Final = 1.0


def add_handlers(broker: EventBroker, counting: "Counting") -> None:
    @broker.consumes_batches(BILLING, gather_s=_GATHER_S)
    async def on_usage_or_call(received: list[Received]) -> None:  # pyright: ignore[reportUnusedFunction]
        await counting.count(received)


class Counting:
    """Counts each event once and says what its call costs now: at once when it has ended, else at most once a second.

    `now_ms` is a clock that only grows.
    """

    def __init__(self, ledger: Ledger, publisher: FactPublisher, now_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._now_ms = now_ms
        self._pacing = Pacing(_TOLD_EVERY_MS)
        self._owes = asyncio.Event()

    async def count(self, received: Sequence[Received]) -> None:
        """Returns when all is in the ledger and, of ended calls, in the stream: what was not is delivered again.

        What comes again says the same under the same id.
        """
        facts: dict[CallRef, list[Fact]] = {}
        for each in received:
            facts.setdefault(each.ref, []).append(fact_of(each.envelope, each.message))
        entered = await self._ledger.enter(facts)
        for each in received:
            is_new = each.envelope.event_id in entered.new
            (metrics.EVENTS_COUNTED if is_new else metrics.DOUBLES_SKIPPED).labels(each.name).inc()
        traceparents = {each.ref: each.envelope.traceparent for each in received}
        for statement in entered.statements:
            account = statement.account
            if not (statement.lines or account.ended):
                continue
            if self._pacing.may_tell(account.ref, self._now_ms(), at_once=account.ended):
                await self._tell(statement, traceparents[account.ref])
            else:
                self._owes.set()

    async def tell_owed(self) -> None:
        """Tells what was held back, when it is due; runs until cancelled."""
        while True:
            await self._owes.wait()
            due_ms = self._pacing.next_due_ms
            if due_ms is None:
                self._owes.clear()
                continue
            await asyncio.sleep(max(0, due_ms - self._now_ms()) / 1_000)
            for ref in self._pacing.take_due(self._now_ms()):
                await self._tell_again(ref)

    async def _tell_again(self, ref: CallRef) -> None:
        try:
            statement = await self._ledger.statement(ref)
            if statement is not None and not statement.account.ended:
                await self._tell(statement, "")
        except (NotStored, DatabaseUnreachable):
            # A running figure: the next use brings a newer one, and the last is told with the end of the call.
            await asyncio.sleep(_RETRY_S)

    async def _tell(self, statement: Statement, traceparent: str) -> None:
        account = statement.account
        await self._publisher.publish_stored(
            account.ref,
            cost_updated(statement),
            event_id=f"cost.{account.ref}.{account.version}",
            traceparent=traceparent,
        )


def cost_updated(statement: Statement) -> CostUpdated:
    """The call's cost at this version of its account."""
    account, made = statement.account, bill(statement.lines)
    return CostUpdated(
        version=account.version,
        rows=made.rows,
        breakdown=made.breakdown,
        total=made.total,
        ended=account.ended,
        price_version=account.price_version,
    )
