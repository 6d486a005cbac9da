"""What billing does with each event: enter it, and say what the call costs now."""

from voxbus_billing import metrics
from voxbus_billing.ledger import Account, Entry, Ledger
from voxbus_billing.prices import PriceTable
from voxbus_billing.rates import bill
from voxbus_bus import EventBroker, FactPublisher, Received
from voxbus_bus.tracing import current_traceparent
from voxbus_contracts.events import CostUpdated, UsageRecorded
from voxbus_contracts.streams import BILLING


def add_handlers(
    broker: EventBroker, ledger: Ledger, prices: PriceTable, publisher: FactPublisher, *, workers: int
) -> None:
    @broker.consumes(BILLING, workers=workers)
    async def on_usage_or_call(received: Received) -> None:  # pyright: ignore[reportUnusedFunction]
        await count(received, ledger, prices, publisher)


async def count(received: Received, ledger: Ledger, prices: PriceTable, publisher: FactPublisher) -> None:
    """Counts once; an event that comes again publishes the same version under the same id, which counts once too."""
    account = await ledger.enter(entry_of(received))
    (metrics.EVENTS_COUNTED if account.is_new else metrics.DOUBLES_SKIPPED).labels(received.name).inc()
    if account.totals or account.ended:
        await publisher.publish_stored(
            received.ref,
            cost_updated(account, prices),
            event_id=f"cost.{received.ref}.{account.version}",
            traceparent=current_traceparent(),
        )


def entry_of(received: Received) -> Entry:
    """Event → ledger entry."""
    usage = received.message
    entry = Entry(received.envelope.event_id, received.ref, received.name, received.envelope.occurred_at_ms)
    if not isinstance(usage, UsageRecorded):
        return entry
    return Entry(
        event_id=entry.event_id,
        ref=entry.ref,
        name=entry.name,
        occurred_at_ms=entry.occurred_at_ms,
        item=usage.item,
        provider=usage.provider,
        model=usage.model,
        unit=usage.unit,
        quantity=usage.quantity,
    )


def cost_updated(account: Account, prices: PriceTable) -> CostUpdated:
    """The call's cost at this version of its account."""
    made = bill(account.totals, prices)
    return CostUpdated(
        version=account.version, rows=made.rows, breakdown=made.breakdown, total=made.total, ended=account.ended
    )
