"""Deliveries with a real bus and real servers: dead, slow, failing and dripping ones beside one that is well."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_contracts import DEFAULT_ORG, CallRef
from voxbus_contracts.config import CallConfig, Member
from voxbus_contracts.delivery import AGAIN, SERVER, DeadLetter, Delivery, Place, read_dead_letter
from voxbus_contracts.streams import DEAD_LETTERS, DELIVERER, DELIVERIES
from voxbus_runtime.bus import Bus
from voxbus_runtime.sealing import seal_config
from voxbus_runtime.stream_reader import read
from voxbus_runtime.tasks import end
from voxbus_testing.nats import bus_at, eventually, free_port, start_service, store_config
from voxbus_testing.token_server import TokenServer
from voxbus_tool_runner.settings import Settings
from voxbus_tool_runner.wiring import wire

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

KEY = SecretStr(Fernet.generate_key().decode())
QUICK = {"type": "fixed", "maxRetries": 1, "baseDelaySeconds": 0.05}

Answer = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


@dataclass
class Hook:
    """A server of plain sockets; `answer` gets the number of the request from 1."""

    answer: Answer
    port: int = 0
    seen: list[tuple[float, dict[str, str], dict[str, Any]]] = field(default_factory=list[Any])
    tasks: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def numbers(self) -> list[int]:
        return [body["message"]["number"] for _, _, body in self.seen]

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self.tasks.add(task)
        try:
            while head := await _head(reader):
                lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                self.seen.append((time.monotonic(), headers, json.loads(body)))
                await self.answer(writer, len(self.seen))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _head(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return ""


def status(code: int) -> Answer:
    async def answer(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(f"HTTP/1.1 {code} X\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        await writer.drain()

    return answer


async def silent(_: asyncio.StreamWriter, __: int) -> None:
    await asyncio.sleep(30)


async def dripping(writer: asyncio.StreamWriter, _: int) -> None:
    for letter in b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}":
        writer.write(bytes([letter]))
        await writer.drain()
        await asyncio.sleep(0.5)


async def endless(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
    for _ in range(100):
        writer.write(b"x" * 1_000_000)
        await writer.drain()


@asynccontextmanager
async def hook(answer: Answer) -> AsyncGenerator[Hook]:
    made = Hook(answer)
    server = await asyncio.start_server(made.on_connection, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await end(*made.tasks)


def settings(nats_url: str, tmp_path: Path, allow: str = "127.0.0.0/8") -> Settings:
    return Settings(nats_url=nats_url, data_dir=tmp_path, guard_allow=allow, cluster_key=KEY)


@asynccontextmanager
async def delivering(nats_url: str, tmp_path: Path, allow: str = "127.0.0.0/8") -> AsyncGenerator[Bus]:
    async with bus_at(nats_url) as bus:
        service = await start_service("tool-runner", settings(nats_url, tmp_path, allow), wire, "tool-runner-1")
        try:
            yield bus
        finally:
            await service.stop()


async def call_to(bus: Bus, url: str, authentication: dict[str, Any] | None = None, **server: Any) -> CallRef:
    plain = {"server": {"url": url, "timeoutSeconds": 1, "backoffPlan": QUICK, **server}}
    plain |= {"authentication": authentication} if authentication else {}
    made = {
        "org": DEFAULT_ORG,
        "call": str(uuid.uuid4()),
        "created_at_ms": 1,
        "message_server": seal_config(plain, KEY),
    }
    config = CallConfig.model_validate(made)
    await store_config(bus, config)
    return config.ref


async def send(bus: Bus, ref: CallRef, count: int, target: str = SERVER, members: str = "") -> list[Delivery]:
    """Messages 1…count, as control-api puts them on the bus."""
    previous, sent = 0, list[Delivery]()
    for number in range(1, count + 1):
        body = json.dumps({"message": {"type": "hang", "number": number}}).encode()
        delivery = Delivery(
            ref, target, "hang", Place(number, 0), number, body, previous, members[number - 1 :][:1] or "0"
        )
        stored = await bus.js.publish(delivery.subject, delivery.payload(), headers=delivery.headers())
        previous = stored.seq
        sent.append(delivery)
    return sent


async def dead(bus: Bus, ref: CallRef, count: int) -> list[DeadLetter]:
    async with asyncio.timeout(30):
        while True:
            stored = [each async for each in read(bus.nc, DEAD_LETTERS.name, ref.all_dead_letters)]
            if len(stored) >= count:
                return [read_dead_letter(each.subject, each.headers, each.data) for each in stored]
            await asyncio.sleep(0.02)


async def test_messages_of_one_call_arrive_in_order_one_after_the_other(nats_url: str, tmp_path: Path) -> None:
    async with hook(status(200)) as shop, delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, shop.url)
        await send(bus, ref, 40)
        await eventually(lambda: len(shop.seen) >= 40, what="all messages")
    assert shop.numbers() == list(range(1, 41))


async def test_after_a_handoff_the_other_assistants_server_gets_them_behind_those_of_the_first(
    nats_url: str, tmp_path: Path
) -> None:
    order: list[str] = []

    def noting(name: str, wait_s: float) -> Answer:
        async def answer(writer: asyncio.StreamWriter, number: int) -> None:
            await asyncio.sleep(wait_s)
            order.append(f"{name}{number}")
            await status(200)(writer, number)

        return answer

    slow, quick = noting("first", 0.2), noting("second", 0)
    async with hook(slow) as first, hook(quick) as second, delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, first.url)
        config = await bus.read_config(ref)
        assert config is not None
        sealed = seal_config({"url": second.url, "secret": "its own"}, KEY)
        found = Member.model_validate({"key": "1", "assistant": {"server": sealed}})
        await store_config(bus, config.model_copy(update={"members": (found,)}))
        await send(bus, ref, 6, members="001101")
        await eventually(lambda: len(order) >= 6, what="all messages")
    assert order == ["first1", "first2", "second1", "second2", "first3", "second3"]
    shown = [{headers.get("x-vapi-secret") for _, headers, _ in each.seen} for each in (first, second)]
    assert shown == [{None}, {"its own"}]


async def test_messages_of_an_assistant_that_nobody_knows_become_dead_letters(nats_url: str, tmp_path: Path) -> None:
    async with hook(status(200)) as shop, delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, shop.url)
        await send(bus, ref, 2, members="90")
        (letter,) = await dead(bus, ref, 1)
        await eventually(lambda: len(shop.seen) >= 1, what="the first assistant's message")
    assert (letter.reason, letter.delivery.member) == ("call-gone", "9")


async def test_a_failing_server_gets_each_message_again_before_the_next(nats_url: str, tmp_path: Path) -> None:
    async def every_other(writer: asyncio.StreamWriter, number: int) -> None:
        await status(500 if number % 2 else 200)(writer, number)

    async with hook(every_other) as shop, delivering(nats_url, tmp_path) as bus:
        await send(bus, await call_to(bus, shop.url), 5)
        await eventually(lambda: len(shop.seen) >= 10, what="each message twice")
    assert shop.numbers() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    keys = [headers["idempotency-key"] for _, headers, _ in shop.seen]
    assert keys[0] == keys[1] != keys[2], "the server can tell a repetition"


@pytest.mark.parametrize(
    ("answer", "code", "code_of_server"),
    [
        (status(500), "server-bad-status", 500),
        (silent, "server-too-slow", 0),
        (dripping, "server-too-slow", 0),
    ],
)
async def test_a_server_that_fails_slows_no_other_calls_messages(
    nats_url: str, tmp_path: Path, answer: Answer, code: str, code_of_server: int
) -> None:
    async with hook(answer) as bad, hook(status(200)) as good, delivering(nats_url, tmp_path) as bus:
        failing = [await call_to(bus, bad.url) for _ in range(20)]
        await asyncio.gather(*(send(bus, ref, 3) for ref in failing))
        well = await call_to(bus, good.url)
        began_s = time.monotonic()
        await send(bus, well, 20)
        await eventually(lambda: len(good.seen) >= 20, what="the good server's messages")
        took_s = time.monotonic() - began_s
        letters = await dead(bus, failing[0], 3)
    assert good.numbers() == list(range(1, 21))
    assert took_s < 2, f"20 messages took {took_s:.2f} s beside a failing server"
    assert {(letter.reason, letter.status) for letter in letters} == {(code, code_of_server)}
    assert [letter.attempts for letter in letters] == [2, 1, 1], "behind the first each gets one try"


async def test_nobody_listening_is_a_dead_letter_with_the_whole_message(nats_url: str, tmp_path: Path) -> None:
    async with delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, f"http://127.0.0.1:{free_port()}/")
        (sent,) = await send(bus, ref, 1)
        (letter,) = await dead(bus, ref, 1)
    assert letter.reason == "server-unreachable"
    assert letter.delivery.body == sent.body
    assert letter.delivery.id == sent.id


async def test_an_endless_answer_is_not_read_to_its_end(nats_url: str, tmp_path: Path) -> None:
    async with hook(endless) as shop, delivering(nats_url, tmp_path) as bus:
        await send(bus, await call_to(bus, shop.url, timeoutSeconds=5), 3)
        await eventually(lambda: len(shop.seen) >= 3, 10, what="three messages")
    assert shop.numbers() == [1, 2, 3]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/"]
)
async def test_a_private_address_is_refused_unless_it_is_allowed(nats_url: str, tmp_path: Path, url: str) -> None:
    async with hook(status(200)) as shop, delivering(nats_url, tmp_path, allow="") as bus:
        ref = await call_to(bus, url.format(port=shop.port))
        await send(bus, ref, 1)
        (letter,) = await dead(bus, ref, 1)
    assert letter.reason == "server-refused"
    assert letter.attempts == 1
    assert not shop.seen


async def test_a_redirect_is_not_followed(nats_url: str, tmp_path: Path) -> None:
    async def elsewhere(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with hook(elsewhere) as shop, delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, shop.url)
        await send(bus, ref, 1)
        (letter,) = await dead(bus, ref, 1)
    assert (letter.reason, letter.status) == ("server-bad-status", 302)


async def test_headers_secret_and_signature_arrive_and_none_of_them_is_on_the_bus(
    nats_url: str, tmp_path: Path
) -> None:
    plan = {"type": "hmac", "secretKey": "hush-hush", "algorithm": "sha256"}
    async with hook(status(200)) as shop, delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, shop.url, plan, secret="old-secret", headers={"X-Own": "own-value"}, credentialId="c")
        await send(bus, ref, 1)
        await eventually(lambda: shop.seen, what="the message")
        entry = await bus.kv_get("CONFIGS", ref.config_key)
    _, headers, _ = shop.seen[0]
    assert headers["x-vapi-secret"] == "old-secret"
    assert headers["x-own"] == "own-value"
    assert headers["x-call-id"] == ref.call
    assert len(headers["x-signature"]) == 64
    assert headers["x-timestamp"].isdigit()
    assert entry is not None
    assert entry.value is not None
    for secret in (b"hush-hush", b"old-secret", b"own-value"):
        assert secret not in entry.value


async def test_a_credential_that_is_gone_sends_nothing_unsigned(nats_url: str, tmp_path: Path) -> None:
    async with hook(status(200)) as shop, delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, shop.url, credentialId="gone")
        await send(bus, ref, 1)
        (letter,) = await dead(bus, ref, 1)
    assert letter.reason == "server-credential-missing"
    assert not shop.seen


async def test_a_token_is_fetched_once_and_used_until_it_ends(nats_url: str, tmp_path: Path) -> None:
    async with TokenServer() as issuer, hook(status(200)) as shop, delivering(nats_url, tmp_path) as bus:
        plan = {**issuer.plan, "scope": "hooks"}
        await send(bus, await call_to(bus, shop.url, plan, credentialId="c"), 3)
        await eventually(lambda: len(shop.seen) >= 3, what="three messages")
    assert [headers["authorization"] for _, headers, _ in shop.seen] == ["Bearer t-1"] * 3
    assert issuer.asked == [b"grant_type=client_credentials&client_id=me&client_secret=hush&scope=hooks"]


async def test_a_killed_worker_leaves_its_messages_to_the_next_in_order(nats_url: str, tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def gated(writer: asyncio.StreamWriter, number: int) -> None:
        if number == 4:
            gate.set()
            await asyncio.sleep(30)
        await status(200)(writer, number)

    assert DELIVERER.ack_wait_s <= 30
    async with hook(gated) as shop, bus_at(nats_url) as bus:
        first = await start_service("tool-runner", settings(nats_url, tmp_path), wire, "tool-runner-1")
        await send(bus, await call_to(bus, shop.url, timeoutSeconds=60), 8)
        await asyncio.wait_for(gate.wait(), 10)
        await first.vanish()
        await first.component.drain()  # of what it had, nothing can be acknowledged any more
        await first.component.close()
        second = await start_service("tool-runner", settings(nats_url, tmp_path), wire, "tool-runner-2")
        await eventually(lambda: shop.numbers()[-1] == 8, 60, what="the last message")
        await second.stop()
    assert shop.numbers() == [1, 2, 3, 4, 4, 5, 6, 7, 8], "only what was under way comes twice"


async def test_a_message_that_is_sent_again_waits_for_no_other(nats_url: str, tmp_path: Path) -> None:
    async with hook(silent) as shop, delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, shop.url, timeoutSeconds=3)
        await send(bus, ref, 2)
        await eventually(lambda: shop.seen, what="the first message")
        shop.answer = status(200)
        await send(bus, ref, 1, AGAIN)
        await eventually(lambda: len(shop.seen) >= 2, 2, what="the message that is sent again")
    assert shop.numbers()[:2] == [1, 1]


async def test_a_message_whose_predecessor_is_gone_from_the_stream_does_not_wait_for_it(
    nats_url: str, tmp_path: Path
) -> None:
    async with hook(status(200)) as shop, bus_at(nats_url) as bus:
        ref = await call_to(bus, shop.url)
        await send(bus, ref, 3)
        first, *_ = [each async for each in read(bus.nc, DELIVERIES.name, ref.all_deliveries)]
        await bus.js.delete_msg(DELIVERIES.name, first.seq)
        service = await start_service("tool-runner", settings(nats_url, tmp_path), wire, "tool-runner-1")
        await eventually(lambda: len(shop.seen) >= 2, what="the other two")
        await service.stop()
    assert shop.numbers() == [2, 3]


async def test_of_what_was_delivered_little_stays_in_the_stream(nats_url: str, tmp_path: Path) -> None:
    async with hook(status(200)) as shop, delivering(nats_url, tmp_path) as bus:
        ref = await call_to(bus, shop.url)
        await send(bus, ref, 70)
        await eventually(lambda: len(shop.seen) >= 70, what="all messages")
        await asyncio.sleep(0.2)
        left = [each async for each in read(bus.nc, DELIVERIES.name, ref.all_deliveries)]
    assert len(left) <= 32
    assert left, "the last stays: it says what was told"
