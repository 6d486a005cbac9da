"""Batches on a real nats-server: nothing that arrived is ever left in nobody's hands."""

import asyncio
import random
from pathlib import Path

import pytest
import structlog

from voxbus_bus import EventBroker, Received
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.events import UsageRecorded
from voxbus_contracts.streams import BILLING
from voxbus_runtime.bootstrap import ensure_bus
from voxbus_testing.nats import NatsServer, bus_at, eventually, free_port

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
SPOKEN = UsageRecorded(item="voice", provider="vapi", unit="characters", quantity=27)


class Kept:
    """What was handed over, by event id, with the number of its delivery."""

    def __init__(self) -> None:
        self.deliveries: dict[str, int] = {}

    async def __call__(self, batch: list[Received]) -> None:
        self.deliveries |= {received.envelope.event_id: received.delivery for received in batch}


def reading(url: str, kept: Kept, gather_s: float) -> EventBroker:
    broker = EventBroker(url, "test", structlog.get_logger(), watch_every_s=0.1)
    broker.consumes_batches(BILLING, gather_s=gather_s)(kept)
    return broker


@pytest.mark.integration
async def test_an_event_is_handed_over_at_its_first_delivery_at_whatever_moment_of_a_pull_it_comes(
    nats_url: str,
) -> None:
    kept, dice = Kept(), random.Random(7)
    broker = reading(nats_url, kept, gather_s=0.02)
    async with bus_at(nats_url) as bus:
        await broker.start()
        voice = StoredPublisher(bus, "x")
        for number in range(200):
            await asyncio.sleep(dice.random() * 0.03)
            await voice.publish_stored(REF, SPOKEN, event_id=f"moment-{number}")
        await eventually(lambda: len(kept.deliveries) == 200)
        await broker.stop()
    assert set(kept.deliveries.values()) == {1}


@pytest.mark.integration
async def test_what_has_arrived_is_handed_over_and_acknowledged_before_the_reader_stops(nats_url: str) -> None:
    kept = Kept()
    broker = reading(nats_url, kept, gather_s=30)
    async with bus_at(nats_url) as bus:
        await broker.start()
        voice = StoredPublisher(bus, "x")
        for number in range(3):
            await voice.publish_stored(REF, SPOKEN, event_id=f"stop-{number}")

        async def waits_for_acknowledgement() -> bool:
            info = await bus.js.consumer_info(BILLING.stream, BILLING.durable)
            return info.num_ack_pending == 1  # the first; the others are fetched when the batch's time is over

        async with asyncio.timeout(5):
            while not await waits_for_acknowledgement():
                await asyncio.sleep(0.02)
        await asyncio.wait_for(broker.stop(), 5)
        assert list(kept.deliveries) == ["stop-0"]
        info = await bus.js.consumer_info(BILLING.stream, BILLING.durable)
        assert (info.num_ack_pending, info.num_pending) == (0, 2)


@pytest.mark.integration
async def test_what_came_within_a_batchs_time_is_handed_over_together_and_all_of_it_in_order(nats_url: str) -> None:
    batches: list[list[str]] = []

    async def keep(batch: list[Received]) -> None:
        batches.append([received.envelope.event_id for received in batch])

    broker = EventBroker(nats_url, "test", structlog.get_logger(), watch_every_s=0.1)
    broker.consumes_batches(BILLING, gather_s=0.3)(keep)
    async with bus_at(nats_url) as bus:
        await broker.start()
        voice = StoredPublisher(bus, "x")
        for number in range(300):
            await voice.publish_stored(REF, SPOKEN, event_id=f"together-{number:03}")
        await eventually(lambda: sum(map(len, batches)) == 300)
        await broker.stop()
    assert [one for batch in batches for one in batch] == [f"together-{number:03}" for number in range(300)]
    assert len(batches) <= 8


@pytest.mark.integration
async def test_reading_goes_on_when_the_server_died_under_a_pull(tmp_path: Path) -> None:
    server = NatsServer(free_port(), tmp_path)
    server.start()
    kept = Kept()
    broker = reading(server.url, kept, gather_s=0.02)
    try:
        async with bus_at(server.url) as bus:
            await ensure_bus(bus.nc)
            await broker.start()
            voice = StoredPublisher(bus, "x")
            await voice.publish_stored(REF, SPOKEN, event_id="before")
            await eventually(lambda: "before" in kept.deliveries)
            server.kill()
            server.start()
        async with bus_at(server.url) as bus:
            await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN, event_id="after")
            async with asyncio.timeout(10):
                while "after" not in kept.deliveries:
                    await asyncio.sleep(0.02)
        await broker.stop()
    finally:
        server.kill()
