"""What billing does with each event: enter it, and say what the call costs now."""

from collections.abc import Sequence

from voxbus_billing import metrics
from voxbus_billing.ledger import Account, Entry, Ledger
from voxbus_billing.prices import PriceTable
from voxbus_billing.rates import WASTED, bill
from voxbus_bus import EventBroker, FactPublisher, Received
from voxbus_contracts.events import CostUpdated, UsageRecorded
from voxbus_contracts.streams import BILLING


def add_handlers(broker: EventBroker, ledger: Ledger, prices: PriceTable, publisher: FactPublisher) -> None:
    @broker.consumes_batches(BILLING)
    async def on_usage_or_call(received: list[Received]) -> None:  # pyright: ignore[reportUnusedFunction]
        await count(received, ledger, prices, publisher)


async def count(received: Sequence[Received], ledger: Ledger, prices: PriceTable, publisher: FactPublisher) -> None:
    """Counts each once, then says once per call what it costs now; what comes again says the same under the same id.

    Returns when all is in the ledger and in the stream, so that what was not is delivered again.
    """
    entered = await ledger.enter([entry_of(each) for each in received])
    for each in received:
        is_new = each.envelope.event_id in entered.new
        (metrics.EVENTS_COUNTED if is_new else metrics.DOUBLES_SKIPPED).labels(each.name).inc()
    traceparents = {each.ref: each.envelope.traceparent for each in received}
    for account in entered.accounts:
        if account.totals or account.ended:
            await publisher.publish_stored(
                account.ref,
                cost_updated(account, prices),
                event_id=f"cost.{account.ref}.{account.version}",
                traceparent=traceparents[account.ref],
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
        unit=usage.unit + WASTED if usage.wasted else usage.unit,
        quantity=usage.quantity,
    )


def cost_updated(account: Account, prices: PriceTable) -> CostUpdated:
    """The call's cost at this version of its account."""
    made = bill(account.totals, prices)
    return CostUpdated(
        version=account.version, rows=made.rows, breakdown=made.breakdown, total=made.total, ended=account.ended
    )
