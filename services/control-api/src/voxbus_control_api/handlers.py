"""What the API does with each event of a call: keep it for the record."""

from voxbus_bus import EventBroker, Received
from voxbus_contracts.streams import CONTROL_API
from voxbus_control_api import metrics
from voxbus_control_api.event_store import EventRow, EventStore


def add_handlers(broker: EventBroker, events: EventStore) -> None:
    @broker.consumes_batches(CONTROL_API)
    async def on_call_events(received: list[Received]) -> None:  # pyright: ignore[reportUnusedFunction]
        await events.add([row_of(each) for each in received])
        metrics.EVENTS_STORED.inc(len(received))


def row_of(received: Received) -> EventRow:
    envelope = received.envelope
    return EventRow(
        event_id=envelope.event_id,
        call=received.ref.call,
        stream_seq=received.stream_seq,
        name=received.name,
        stage=envelope.stage,
        epoch=envelope.epoch,
        number=envelope.number,
        occurred_at_ms=envelope.occurred_at_ms,
        payload=received.payload.decode(),
    )
