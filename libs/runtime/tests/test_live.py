"""The short way of live messages: however the bytes are cut, each arrives once, whole, in order, where it belongs."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import BadHeaderError, MaxPayloadError
from prometheus_client import REGISTRY

from voxbus_runtime.bus import connect
from voxbus_runtime.live import LiveProtocol, live_head, read_headers
from voxbus_runtime.service import count_holdings
from voxbus_runtime.tasks import end
from voxbus_testing.nats import NatsServer, eventually, free_port


def dropped() -> float:
    return REGISTRY.get_sample_value("voxbus_live_messages_dropped_total") or 0.0


class LiveSids:
    """Stands for the client: messages of sid 1 and 2 are live."""

    listen_every_s = 0.0

    def __init__(self) -> None:
        self.got: list[tuple[bytes, bytes, bytes | None, bytes]] = []

    def hand_over(self, sid: bytes, subject: bytes, headers: bytes | None, payload: bytes) -> bool:
        if sid not in (b"1", b"2"):
            return False
        self.got.append((sid, subject, headers, payload))
        return True


class Rest(asyncio.Protocol):
    """Stands for nats-py's reader."""

    def __init__(self) -> None:
        self.got = b""

    def data_received(self, data: bytes) -> None:
        self.got += data


Message = tuple[int, bytes | None, bytes]
messages = st.lists(
    st.tuples(st.integers(1, 4), st.none() | st.binary(max_size=20), st.binary(max_size=60)) | st.just("PING"),
    max_size=12,
)


def wire(message: Message | str) -> bytes:
    if isinstance(message, str):
        return b"PING\r\n"
    sid, headers, payload = message
    reply = b"inbox.7 " if sid % 2 else b""
    if headers is None:
        return b"MSG a.b %d %b%d\r\n%b\r\n" % (sid, reply, len(payload), payload)
    block = b"NATS/1.0\r\n" + headers
    size = len(block) + len(payload)
    return b"HMSG a.b %d %b%d %d\r\n%b%b\r\n" % (sid, reply, len(block), size, block, payload)


@given(messages, st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_however_the_bytes_are_cut_every_message_goes_where_it_belongs(said: list[Any], cuts: list[int]) -> None:
    live, rest = LiveSids(), Rest()
    protocol = LiveProtocol(live, rest, None)  # pyright: ignore[reportArgumentType]
    stream = b"".join(map(wire, said))
    at = turn = 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        protocol.data_received(stream[at : at + size])
        at, turn = at + size, turn + 1
    is_live = [not isinstance(message, str) and message[0] <= 2 for message in said]
    expected = [
        (b"%d" % sid, b"a.b", None if headers is None else b"NATS/1.0\r\n" + headers, payload)
        for (sid, headers, payload) in (message for message, live in zip(said, is_live, strict=True) if live)
    ]
    assert live.got == expected
    assert rest.got == b"".join(wire(message) for message, live in zip(said, is_live, strict=True) if not live)


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        (b"NATS/1.0\r\nA: b\r\nC:  d \r\n\r\n", {"A": "b", "C": "d"}),
        (
            b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 3\r\n\r\n",
            {"Status": "204", "Description": "EOB", "Nats-Num-Pending": "3"},
        ),
        (b"NATS/1.0 404 Message Not Found\r\n\r\n", {"Status": "404", "Description": "Message Not Found"}),
        (b"NATS/1.0 503\r\n\r\n", {"Status": "503", "Description": ""}),
    ],
)
def test_headers_are_read_with_what_the_server_says_of_itself(block: bytes, headers: dict[str, str]) -> None:
    assert read_headers(block) == headers


async def test_a_live_subscription_hears_again_after_the_server_was_away(nats_server: NatsServer) -> None:
    bus = await connect(nats_server.url, "live", structlog.get_logger())
    heard: list[tuple[str, dict[str, str] | None, bytes]] = []

    def hear(subject: str, headers: dict[str, str] | None, payload: bytes) -> None:
        heard.append((subject, headers, payload))

    await bus.nc.subscribe_live("a.*", hear)
    assert bus.nc.publish_live(live_head("a.one"), b"1")
    await eventually(lambda: len(heard) == 1)
    nats_server.kill()
    await eventually(lambda: not bus.connected)
    assert not bus.nc.publish_live(live_head("a.lost"), b"-")
    nats_server.start()
    await eventually(lambda: bus.connected)
    assert bus.nc.publish_event("a.two", "", {"Key": "value"}, b"2")
    await eventually(lambda: len(heard) == 2)
    assert heard == [("a.one", None, b"1"), ("a.two", {"Key": "value"}, b"2")]
    await bus.close()


def test_what_is_said_before_the_loss_of_the_connection_is_noticed_disturbs_nothing(nats_server: NatsServer) -> None:
    faults: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        bus = await connect(nats_server.url, "live", structlog.get_logger())
        bus.nc._socket().abort()  # pyright: ignore[reportPrivateUsage]
        assert bus.connected, "nobody knows yet"
        bus.nc.publish_live(live_head("a.lost"), b"-")
        await bus.nc.subscribe_live("a.*", lambda *_: None)
        await eventually(lambda: not bus.connected, what="the loss is noticed")
        await eventually(lambda: bus.connected, what="the bus is back")
        await bus.close()

    uvloop.run(main())
    assert faults == []


async def test_tasks_and_subscriptions_are_counted_as_they_come_and_go(nats_server: NatsServer) -> None:
    bus = await connect(nats_server.url, "counts", structlog.get_logger())
    count_holdings(bus)

    def counted() -> tuple[float, float]:
        told = REGISTRY.get_sample_value
        return told("voxbus_tasks") or 0.0, told("voxbus_subscriptions") or 0.0

    tasks, subscriptions = counted()
    live = await bus.nc.subscribe_live("here.>", lambda *_: None)
    plain = await bus.nc.subscribe("there.>")
    waiting = asyncio.create_task(asyncio.sleep(60))
    assert counted()[1] == subscriptions + 2
    assert counted()[0] > tasks
    await live.unsubscribe()
    await plain.unsubscribe()
    await end(waiting)
    await eventually(lambda: counted() == (tasks, subscriptions), what="both back where they were")
    await bus.close()


async def test_a_handler_that_fails_does_not_stop_the_others(nats_server: NatsServer) -> None:
    bus = await connect(nats_server.url, "live", structlog.get_logger())
    heard: list[bytes] = []

    def fails(_subject: str, _headers: object, _payload: bytes) -> None:
        raise ValueError("broken")

    await bus.nc.subscribe_live("b.*", fails)
    subscription = await bus.nc.subscribe_live("b.*", lambda _s, _h, payload: heard.append(payload))
    bus.nc.publish_live(live_head("b.one"), b"1")
    await eventually(lambda: heard == [b"1"])
    await subscription.unsubscribe()
    bus.nc.publish_live(live_head("b.one"), b"2")
    await bus.nc.flush()
    assert heard == [b"1"]
    await bus.close()


async def test_what_the_server_would_refuse_is_refused_here(nats_server: NatsServer) -> None:
    bus = await connect(nats_server.url, "live", structlog.get_logger())
    with pytest.raises(MaxPayloadError):
        bus.nc.publish_event("c", "", {}, b"x" * (bus.nc.max_payload + 1))
    with pytest.raises(BadHeaderError):
        bus.nc.publish_event("c", "", {"Key": "a\r\nOther: b"}, b"")
    await bus.close()


async def test_what_the_server_does_not_take_is_dropped_and_counted(nats_server: NatsServer) -> None:
    bus = await connect(nats_server.url, "live", structlog.get_logger())
    before = dropped()
    assert nats_server.process is not None
    frozen = nats_server.process.pid
    os.kill(frozen, signal.SIGSTOP)
    try:
        for _ in range(40):
            bus.nc.publish_live(live_head("d"), bytes(1_000_000))
            await asyncio.sleep(0)
        assert 20 <= dropped() - before <= 40
    finally:
        os.kill(frozen, signal.SIGCONT)
    await bus.close()


@pytest.mark.integration
async def test_who_listens_only_every_so_often_hears_all_of_it_in_order_and_is_woken_less(
    nats_server: NatsServer,
) -> None:
    heard: list[tuple[float, int]] = []
    clock = asyncio.get_running_loop().time
    speaker = await connect(nats_server.url, "speaker", structlog.get_logger())
    patient = await connect(nats_server.url, "patient", structlog.get_logger(), listen_every_ms=50)
    try:
        await patient.nc.subscribe_live("often", lambda _s, _h, payload: heard.append((clock(), int(payload))))
        await patient.nc.flush()
        for number in range(100):
            assert speaker.nc.publish_live(live_head("often"), b"%d" % number)
            await asyncio.sleep(0.002)
        await eventually(lambda: len(heard) == 100)
        assert [number for _, number in heard] == list(range(100))
        moments = {round(at_s, 3) for at_s, _ in heard}
        assert len(moments) <= 15, "200 ms of messages, read every 50 ms"
    finally:
        await speaker.close()
        await patient.close()


@pytest.mark.integration
async def test_the_server_has_a_subscription_before_it_answers_to_what_is_said_after_it(
    nats_server: NatsServer,
) -> None:
    heard: list[bytes] = []
    listener = await connect(nats_server.url, "listener", structlog.get_logger())
    speaker = await connect(nats_server.url, "speaker", structlog.get_logger())
    try:
        for number in range(50):
            subject = f"after.{number}"
            await listener.nc.subscribe(subject, cb=_kept_in(heard))
            await listener.nc.flush()
            await speaker.nc.publish(subject, b"%d" % number)
            await speaker.nc.flush()
        await eventually(lambda: len(heard) == 50)
    finally:
        await speaker.close()
        await listener.close()


def _kept_in(heard: list[bytes]) -> Any:
    async def keep(message: Any) -> None:
        heard.append(message.data)

    return keep


async def test_a_server_that_takes_nothing_any_more_is_left_for_another_although_much_is_unsent(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    other = NatsServer(free_port(), tmp_path / "other")
    other.start()
    bus = await connect(f"{nats_server.url},{other.url}", "live-test", structlog.get_logger())
    lost, taken = (nats_server, other) if bus.nc.connected_url.port == nats_server.port else (other, nats_server)
    assert lost.process is not None
    back = asyncio.Event()

    async def on_back() -> None:
        back.set()

    bus.on_reconnect(on_back)
    lost.process.send_signal(signal.SIGSTOP)
    try:
        head = live_head("x")
        for _ in range(500):
            bus.nc.publish_live(head, bytes(20_000))
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await back.wait()
        assert bus.nc.connected_url.port == taken.port
    finally:
        lost.process.send_signal(signal.SIGCONT)
        try:
            await bus.nc.close()
        finally:
            other.kill()
