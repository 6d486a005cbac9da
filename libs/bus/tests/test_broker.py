"""The broker on a real nats-server: what a durable consumer promises."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
import structlog

from voxbus_bus import Again, EventBroker, Handler, Received
from voxbus_bus.broker import retry_delay_s
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.commands import RunTool
from voxbus_contracts.events import UsageRecorded
from voxbus_contracts.streams import BILLING, TOOL_RUNNER, ConsumerSpec
from voxbus_runtime.bootstrap import ensure_bus
from voxbus_runtime.bus import Bus
from voxbus_testing.nats import NatsServer, bus_at, eventually, free_port, mortal_nats

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
SPOKEN = UsageRecorded(item="voice", provider="vapi", unit="characters", quantity=27)


class Serving(Protocol):
    def __call__(
        self, url: str, handler: Handler, spec: ConsumerSpec = BILLING, workers: int = 4
    ) -> AbstractAsyncContextManager[EventBroker]: ...


@pytest.fixture(params=[False, True], ids=["fetched", "at-once"])
def serving(request: pytest.FixtureRequest) -> Serving:
    """Both ways to a handler keep the same promises."""

    @asynccontextmanager
    async def serve(
        url: str, handler: Handler, spec: ConsumerSpec = BILLING, workers: int = 4
    ) -> AsyncIterator[EventBroker]:
        broker = EventBroker(url, "test", structlog.get_logger(), watch_every_s=0.1)
        broker.consumes(spec, workers=workers, at_once=request.param)(handler)
        await asyncio.wait_for(broker.start(), 10)
        try:
            yield broker
        finally:
            await asyncio.wait_for(broker.stop(), 15)

    return serve


class Got:
    """A handler that keeps what it gets and fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.all: list[Received] = []
        self.failures = failures

    async def __call__(self, received: Received) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not this time")
        self.all.append(received)


def in_all(got: Got, count: int) -> Callable[[], bool]:
    return lambda: len(got.all) >= count


@pytest.mark.integration
async def test_an_event_reaches_its_handler_decoded_with_its_envelope(serving: Serving, nats_url: str) -> None:
    got = Got()
    async with bus_at(nats_url) as bus, serving(nats_url, got):
        event_id = uuid.uuid4().hex
        stored = await StoredPublisher(bus, "tts-worker").publish_stored(REF, SPOKEN, event_id=event_id)
        await eventually(in_all(got, 1))
    (received,) = got.all
    assert (received.ref, received.name, received.message) == (REF, "usage.recorded", SPOKEN)
    assert (received.envelope.event_id, received.envelope.stage) == (event_id, "tts-worker")
    assert received.stream_seq == stored


@pytest.mark.integration
async def test_a_failed_event_comes_again_and_the_others_do_not_wait_for_it(serving: Serving, nats_url: str) -> None:
    got = Got(failures=1)
    async with bus_at(nats_url) as bus, serving(nats_url, got):
        for _ in range(3):
            await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN)
        await eventually(in_all(got, 3))
    assert [received.delivery for received in got.all] == [1, 1, 2]


@pytest.mark.integration
async def test_a_handler_may_ask_for_an_event_again_later(serving: Serving, nats_url: str) -> None:
    deliveries: list[int] = []

    async def patient(received: Received) -> None:
        deliveries.append(received.delivery)
        if received.delivery < 3:
            raise Again(0.05)

    async with bus_at(nats_url) as bus, serving(nats_url, patient):
        await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN)
        await eventually(lambda: len(deliveries) == 3)
        await asyncio.sleep(0.2)
    assert deliveries == [1, 2, 3]


@pytest.mark.integration
async def test_a_message_nobody_can_read_is_left_out_for_good(serving: Serving, nats_url: str) -> None:
    got = Got()
    async with bus_at(nats_url) as bus, serving(nats_url, got):
        await bus.js.publish(SPOKEN.subject(REF), b"{}")
        await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN)
        await eventually(in_all(got, 1))

        async def pending() -> int:
            info = await bus.js.consumer_info(BILLING.stream, BILLING.durable)
            return (info.num_ack_pending or 0) + (info.num_pending or 0)

        async with asyncio.timeout(5):
            while await pending():
                await asyncio.sleep(0.02)


@pytest.mark.integration
async def test_a_slow_handler_does_not_hold_up_another_message(serving: Serving, nats_url: str) -> None:
    order: list[str] = []
    release = asyncio.Event()

    async def handler(received: Received) -> None:
        assert isinstance(received.message, RunTool)
        if received.message.tool_name == "slow":
            await release.wait()
        order.append(received.message.tool_name)
        if received.message.tool_name == "quick":
            release.set()

    async with bus_at(nats_url) as bus, serving(nats_url, handler, TOOL_RUNNER, workers=2):
        for name in ("slow", "quick"):
            await StoredPublisher(bus, "x").publish_stored(
                REF, RunTool(tool_call_id=name, tool_name=name, arguments={}, timeout_ms=1000)
            )
        await eventually(lambda: len(order) == 2)
    assert order == ["quick", "slow"]


@pytest.mark.integration
async def test_a_handler_slower_than_the_acknowledgement_wait_is_not_given_its_message_twice(
    serving: Serving, nats_url: str
) -> None:
    calls: list[int] = []
    spec = ConsumerSpec("EVENTS", "brisk", BILLING.filter_subjects, ack_wait_s=0.6, max_ack_pending=10)

    async def handler(received: Received) -> None:
        calls.append(received.delivery)
        await asyncio.sleep(2)

    async with bus_at(nats_url) as bus:
        await add_consumer(bus, spec)
        async with serving(nats_url, handler, spec):
            await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN)
            await eventually(lambda: calls)
            await asyncio.sleep(2.2)
        await bus.js.delete_consumer(spec.stream, spec.durable)
    assert calls == [1]


async def add_consumer(bus: Bus, spec: ConsumerSpec) -> None:
    from nats.js.api import AckPolicy, ConsumerConfig

    config = ConsumerConfig(
        durable_name=spec.durable,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=spec.ack_wait_s,
        filter_subjects=list(spec.filter_subjects),
    )
    await bus.js.add_consumer(spec.stream, config)


@pytest.mark.integration
async def test_a_deleted_consumer_is_noticed_not_made_anew_and_read_on_when_it_is_back(
    serving: Serving, nats_url: str
) -> None:
    got = Got()
    async with bus_at(nats_url) as bus, serving(nats_url, got) as broker:
        await bus.js.delete_consumer(BILLING.stream, BILLING.durable)
        await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN)
        await eventually(lambda: not broker.healthy)
        names = {consumer.name for consumer in await bus.js.consumers_info(BILLING.stream)}
        assert BILLING.durable not in names
        assert not got.all
        await ensure_bus(bus.nc)
        await eventually(in_all(got, 1))
        assert broker.healthy


@pytest.mark.integration
async def test_a_consumer_that_is_made_later_is_waited_for_and_not_made_by_the_reader(
    serving: Serving, nats_url: str
) -> None:
    got = Got()
    async with bus_at(nats_url) as bus:
        await bus.js.delete_consumer(BILLING.stream, BILLING.durable)
        async with serving(nats_url, got) as broker:
            assert not broker.healthy
            await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN)
            await ensure_bus(bus.nc)
            await eventually(in_all(got, 1))
            assert broker.healthy


@pytest.mark.integration
async def test_reading_goes_on_after_the_server_was_killed_and_restarted(serving: Serving, tmp_path: Path) -> None:
    server = NatsServer(free_port(), tmp_path)
    server.start()
    got = Got()
    try:
        async with bus_at(server.url) as bus:
            await ensure_bus(bus.nc)
            async with serving(server.url, got):
                await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN)
                await eventually(in_all(got, 1))
                server.kill()
                server.start()
                await StoredPublisher(bus, "x").publish_stored(REF, SPOKEN)
                await eventually(in_all(got, 2))
    finally:
        server.kill()


@pytest.mark.integration
async def test_stopping_twice_is_harmless(serving: Serving, nats_url: str) -> None:
    async with serving(nats_url, Got()) as broker:
        await broker.stop()
        assert not broker.healthy


def test_a_message_rests_longer_after_each_failure_but_never_longer_than_half_a_minute() -> None:
    delays = [retry_delay_s(delivery) for delivery in (1, 2, 3, 10, 1000)]
    assert delays == [0.5, 1.0, 2.0, 30.0, 30.0]


class GotBatches:
    """A batch handler that fails while a poisonous event is among what it gets, as often as told."""

    def __init__(self, poison: str = "", failures: int = 0) -> None:
        self.batches: list[list[str]] = []
        self.poison = poison
        self.failures = failures

    async def __call__(self, received: list[Received]) -> None:
        ids = [each.envelope.event_id for each in received]
        if self.poison in ids and self.failures:
            self.failures -= 1
            raise RuntimeError("not this one")
        self.batches.append(ids)

    @property
    def all(self) -> list[str]:
        return [event_id for batch in self.batches for event_id in batch]


@asynccontextmanager
async def gathering(url: str, handler: GotBatches) -> AsyncIterator[EventBroker]:
    broker = EventBroker(url, "test", structlog.get_logger(), watch_every_s=0.1)
    broker.consumes_batches(BILLING, gather_s=0.1)(handler)
    await asyncio.wait_for(broker.start(), 10)
    try:
        yield broker
    finally:
        await asyncio.wait_for(broker.stop(), 15)


@pytest.mark.integration
async def test_what_comes_together_is_handed_over_together_and_in_order(nats_url: str) -> None:
    got = GotBatches()
    async with bus_at(nats_url) as bus:
        voice = StoredPublisher(bus, "x")
        for number in range(40):
            await voice.publish_stored(REF, SPOKEN, event_id=f"together-{number}")
        async with gathering(nats_url, got):
            await eventually(lambda: len(got.all) == 40)
            await voice.publish_stored(REF, SPOKEN, event_id="together-late")
            await eventually(lambda: len(got.all) == 41)
        info = await bus.js.consumer_info(BILLING.stream, BILLING.durable)
        assert (info.num_ack_pending, info.num_pending) == (0, 0)
    assert got.all == [*(f"together-{number}" for number in range(40)), "together-late"]
    assert len(got.batches) < 10


@pytest.mark.integration
async def test_one_event_at_fault_holds_up_none_of_its_batch_and_comes_again(nats_url: str) -> None:
    got = GotBatches(poison="fault-3", failures=2)
    async with bus_at(nats_url) as bus:
        voice = StoredPublisher(bus, "x")
        for number in range(8):
            await voice.publish_stored(REF, SPOKEN, event_id=f"fault-{number}")
        await bus.js.publish(SPOKEN.subject(REF), b"{}")
        async with gathering(nats_url, got):
            await eventually(lambda: len(got.all) == 8)
        info = await bus.js.consumer_info(BILLING.stream, BILLING.durable)
        assert (info.num_ack_pending, info.num_pending) == (0, 0)
    assert sorted(got.all) == [f"fault-{number}" for number in range(8)]
    assert got.all[-1] == "fault-3"


@pytest.mark.integration
async def test_a_call_nobody_cares_about_is_acknowledged_unread_and_makes_no_gap(nats_url: str) -> None:
    other = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")
    got: list[Received] = []

    async def keep(received: list[Received]) -> None:
        got.extend(received)

    async def is_ours(ref: CallRef) -> bool:
        return ref == REF

    broker = EventBroker(nats_url, "test", structlog.get_logger(), watch_every_s=0.1)
    broker.consumes_batches(BILLING, gather_s=0.05, cares=is_ours)(keep)
    async with bus_at(nats_url) as bus:
        voice = StoredPublisher(bus, "x")
        await broker.start()
        for number in range(6):
            await voice.publish_stored(other if number % 2 else REF, SPOKEN, event_id=f"care-{number}")
        await eventually(lambda: len(got) == 3)
        await asyncio.sleep(0.2)
        info = await bus.js.consumer_info(BILLING.stream, BILLING.durable)
        await broker.stop()
    assert (info.num_ack_pending, info.num_pending) == (0, 0)
    assert [each.envelope.event_id for each in got] == ["care-0", "care-2", "care-4"]
    assert [each.is_after_gap for each in got] == [True, False, False], "a reader begins after a gap"


@pytest.mark.integration
async def test_a_reader_beside_whom_another_reads_is_told_of_the_gap(nats_url: str) -> None:
    got: list[Received] = []

    async def keep(received: list[Received]) -> None:
        got.extend(received)

    broker = EventBroker(nats_url, "test", structlog.get_logger(), watch_every_s=0.1)
    async with bus_at(nats_url) as bus:
        voice = StoredPublisher(bus, "x")
        broker.consumes_batches(BILLING, gather_s=0.05)(keep)
        await broker.start()
        await voice.publish_stored(REF, SPOKEN, event_id="gap-0")
        await eventually(lambda: len(got) == 1)
        await broker.stop()
        await voice.publish_stored(REF, SPOKEN, event_id="gap-1")
        elsewhere = await bus.js.pull_subscribe_bind(BILLING.durable, BILLING.stream)
        (taken,) = await elsewhere.fetch(1, timeout=5)
        await taken.ack()
        await broker.start()
        await voice.publish_stored(REF, SPOKEN, event_id="gap-2")
        await voice.publish_stored(REF, SPOKEN, event_id="gap-3")
        await eventually(lambda: len(got) == 3)
        await broker.stop()
    marks = {each.envelope.event_id: each.is_after_gap for each in got}
    assert marks == {"gap-0": True, "gap-2": True, "gap-3": False}


@pytest.mark.integration
async def test_a_server_that_hangs_is_left_for_another(serving: Serving) -> None:
    got = Got()
    async with mortal_nats() as one, mortal_nats() as other, serving(f"{one.url},{other.url}", got) as broker:
        port = broker.broker.config.broker_config.connection_state.connection.connected_url.port
        hangs, lives = (one, other) if port == one.port else (other, one)
        assert hangs.process is not None
        hangs.process.send_signal(signal.SIGSTOP)
        try:
            async with bus_at(lives.url) as bus:
                await StoredPublisher(bus, "tts-worker").publish_stored(REF, SPOKEN, event_id=uuid.uuid4().hex)
                await eventually(in_all(got, 1), 8)
        finally:
            hangs.process.send_signal(signal.SIGCONT)
