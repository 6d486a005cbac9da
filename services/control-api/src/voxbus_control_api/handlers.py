"""What the API does with each event of a call or chat: keep it for the record, tell the customer's server."""

from voxbus_bus import EventBroker, Received
from voxbus_contracts.events import ChatEnded, CostUpdated
from voxbus_contracts.streams import CONTROL_API, DESTINATIONS, REPORTS, SERVER_MESSAGES
from voxbus_control_api import metrics
from voxbus_control_api.calls.finding import DestinationFinder
from voxbus_control_api.chats.conversations import Conversations
from voxbus_control_api.chats.records import CHAT
from voxbus_control_api.event_store import EventRow, EventStore
from voxbus_control_api.messages.reporting import Reporter
from voxbus_control_api.messages.telling import ServerTeller

_GATHER_RECORDS_S = 0.5
"""Each batch is a transaction; who looks a call up while it is going on sees it so much behind."""
_GATHER_MESSAGES_S = 0.05
"""A server learns of things nearly as they happen; what comes together is still read together."""


def add_handlers(broker: EventBroker, events: EventStore, chats: Conversations) -> None:
    @broker.consumes_batches(CONTROL_API, gather_s=_GATHER_RECORDS_S)
    async def on_call_events(received: list[Received]) -> None:  # pyright: ignore[reportUnusedFunction]
        await events.add([row_of(each) for each in received])
        metrics.EVENTS_STORED.inc(len(received))
        for each in received:
            await on_chat_event(each, chats)


def add_finder(broker: EventBroker, finder: DestinationFinder) -> None:
    """Where calls go that do not know it themselves."""
    broker.consumes(DESTINATIONS, workers=64, at_once=True)(finder.on_find)


def add_message_handlers(broker: EventBroker, teller: ServerTeller, reporter: Reporter) -> None:
    """What customers' servers are told."""
    broker.consumes_batches(SERVER_MESSAGES, gather_s=_GATHER_MESSAGES_S, cares=teller.cares)(teller.on_facts)
    broker.consumes(REPORTS, workers=64)(reporter.on_record)


async def on_chat_event(received: Received, chats: Conversations) -> None:
    """What a chat came to: also for one that nobody waits for any more. Its costs come when it is over."""
    match received.message:
        case ChatEnded() as ended:
            await chats.ended(received.ref.org, received.ref.call, ended)
        case CostUpdated() as cost if any(row.type == CHAT for row in cost.rows):
            await chats.priced(received.ref.org, received.ref.call, cost)
        case _:
            pass


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
