"""Calls that come in, as a carrier announces them on the bus: who answers, what the caller hears, how the call ends."""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch, in_order
from pydantic import SecretStr
from stack import Stack, running

from voxbus_contracts import DEFAULT_ORG
from voxbus_contracts.requests import InboundAnswered, InboundCall
from voxbus_runtime.requests import ask
from voxbus_runtime.sealing import open_seal
from voxbus_runtime.tasks import end
from voxbus_testing.caller import Caller

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

Json = dict[str, Any]

CALLER = "+14155550123"
DESK: Json = {"type": "number", "number": "+14155550199", "message": "I connect you to the desk."}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`voxbus up`, whose guard lets the test's own server be reached."""
    folder = tmp_path_factory.mktemp("inbound") / "data"
    with running(folder, VOXBUS_GUARD_ALLOW="127.0.0.0/8") as started:
        yield started


@dataclass
class Office:
    """The customer's server: `answer` is what it says to assistant-request, None = nothing, ever."""

    answer: Json | None
    status: int = 200
    delay_s: float = 0
    url: str = ""
    asked: list[tuple[str, Json]] = field(default_factory=list[Any])
    told: list[Json] = field(default_factory=list[Any])
    tasks: set[asyncio.Task[Any]] = field(default_factory=set[Any])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self.tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                message = json.loads(await reader.readexactly(int(headers["content-length"])))["message"]
                status, body = await self._answered(headers["idempotency-key"], message)
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
                await writer.drain()
        writer.close()

    async def _answered(self, key: str, message: Json) -> tuple[int, str]:
        if message["type"] != "assistant-request":
            self.told.append(message)
            return 200, "{}"
        self.asked.append((key, message))
        await asyncio.sleep(self.delay_s if self.answer is not None else 60)
        return self.status, json.dumps(self.answer)

    async def until_told(self, call: str, **fields: Any) -> Json:
        async with asyncio.timeout(40):
            while True:
                for each in self.told:
                    if each["call"]["id"] == call and fields.items() <= each.items():
                        return each
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def office(answer: Json | None, **fields: Any) -> AsyncGenerator[Office]:
    made = Office(answer, **fields)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/calls"
    try:
        yield made
    finally:
        server.close()
        await end(*made.tasks)


@dataclass
class Carrier:
    """Announces calls and carries their audio, as a telephone gateway does."""

    stack: Stack
    watch: BusWatch
    rung: int = 0

    async def number(self, **fields: Any) -> str:
        self.rung += 1
        number = f"+1415555{time.time_ns() // 1000 % 10_000:04}"
        posted = {"provider": "byo-phone-number", "number": number, "credentialId": "trunk", **fields}
        headers = {"Authorization": f"Bearer {self.stack.key}"}
        async with httpx.AsyncClient(base_url=self.stack.api, headers=headers, timeout=20) as http:
            return (await http.post("/phone-number", json=posted)).raise_for_status().json()["id"]

    async def rings(self, number: str, **fields: Any) -> InboundAnswered:
        asked: Json = {
            "id": f"CA-{number}-{self.rung}",
            "phone_number_id": number,
            "caller": {"number": CALLER},
            "transport": "vapi.sip",
            "encoding": "pcm_s16le",
            "sample_rate_hz": 16_000,
            **fields,
        }
        request = InboundCall.model_validate(asked)
        return await ask(self.watch.bus.nc, DEFAULT_ORG, request, InboundAnswered, at_most_s=60)

    @contextlib.asynccontextmanager
    async def carried(self, told: InboundAnswered) -> AsyncGenerator[Caller]:
        """The caller's line, for as long as the block."""
        assert told.outcome == "connect", told
        key = SecretStr((self.stack.data_dir / "cluster-key").read_text().strip())
        caller = Caller(self.stack.api, self.stack.key)
        caller.call_id, caller.url = told.call, open_seal(told.url, key)
        try:
            await caller.dial()
            yield caller
        finally:
            await caller.close()


@pytest.fixture
async def carrier(stack: Stack, watch: BusWatch) -> AsyncIterator[Carrier]:
    yield Carrier(stack, watch)


async def ended(watch: BusWatch, caller: Caller) -> tuple[str, Json]:
    """Why the call is over by the bus, and its record."""
    (event,) = await watch.until(caller.call_id, "call.ended", timeout_s=60)
    record = await caller.ended_record(timeout_s=30)
    assert record["endedReason"] == event["reason"]
    return event["reason"], record


async def heard(watch: BusWatch, caller: Caller) -> list[str]:
    """What was said on the line; the caller got as much sound as the voice made of it."""
    said = await watch.payloads(caller.call_id, "speech.say")
    made_ms = sum(each["duration_ms"] for each in await watch.payloads(caller.call_id, "speech.synthesized"))
    got_ms = len(caller.agent_pcm()) / 32
    assert got_ms >= made_ms * 0.9 > 0, (got_ms, made_ms)
    return [each["text"] for each in said]


async def test_the_assistant_or_squad_that_the_server_chose_talks_to_the_caller(
    carrier: Carrier, watch: BusWatch
) -> None:
    pcm, _, labels = speech_at("where is my order", start_ms=10_000)
    rules = [{"when": "order", "say": "It ships on Friday."}]
    hello = {"firstMessage": "Hello {{ customer.number }}, {{ name }}.", "firstMessageMode": "assistant-speaks-first"}
    chosen = hearing(scripted(*rules, name="front desk", **hello), labels)
    known = {"variableValues": {"name": "Ann"}}
    answers: list[Json] = [
        {"assistant": chosen, "assistantOverrides": known},
        {"squad": {"members": [{"assistant": chosen}]}, "squadOverrides": known},
    ]

    async def conversation(answer: Json) -> None:
        async with office(answer) as shop:
            told = await carrier.rings(await carrier.number(server={"url": shop.url}))
            assert told.reason == ""
            async with carrier.carried(told) as caller:
                caller.say(pcm)
                await watch.until(caller.call_id, "reply.finished", 2, timeout_s=60)
                await caller.hang_up()
                reason, record = await ended(watch, caller)
                assert await heard(watch, caller) == [f"Hello {CALLER}, Ann.", "It ships on Friday."]
            await shop.until_told(told.call, type="status-update", status="in-progress")
            await shop.until_told(told.call, type="end-of-call-report")
        assert reason == "customer-ended-call"
        assert (record["type"], record["phoneCallTransport"]) == ("inboundPhoneCall", "sip")
        assert record["customer"]["number"] == CALLER
        ((key, message),) = shop.asked
        assert key.startswith(told.call)
        assert message["call"]["type"] == "inboundPhoneCall"

    await asyncio.gather(*(conversation(answer) for answer in answers))


async def test_an_error_is_spoken_to_the_caller_and_ends_the_call(carrier: Carrier, watch: BusWatch) -> None:
    async with office({"error": "We are closed on Sundays."}) as shop:
        told = await carrier.rings(await carrier.number(server={"url": shop.url}))
        async with carrier.carried(told) as caller:
            reason, record = await ended(watch, caller)
            assert await heard(watch, caller) == ["We are closed on Sundays."]
            await asyncio.wait_for(caller.closed.wait(), 20)
        update = await shop.until_told(told.call, type="status-update", status="ended")
    assert reason == told.reason == "assistant-request-returned-error"
    assert "AI: We are closed on Sundays." in record["artifact"]["transcript"]
    assert update["endedReason"] == reason
    told_why = update["inboundPhoneCallDebuggingArtifacts"]
    assert told_why["assistantRequestError"] == "We are closed on Sundays."


async def test_a_server_that_fails_or_is_silent_leaves_nobody_on_a_dead_line(carrier: Carrier, watch: BusWatch) -> None:
    async def apology() -> None:
        async with office({"assistant": {"voice": {"speed": 9}}}) as shop:
            told = await carrier.rings(await carrier.number(server={"url": shop.url}))
            async with carrier.carried(told) as caller:
                reason, record = await ended(watch, caller)
                (said, *_) = await heard(watch, caller)
        assert reason == "assistant-request-returned-invalid-assistant"
        assert "voice.speed" in record["endedMessage"]
        assert said.startswith("I am sorry")

    async def fallback() -> None:
        async with office(None) as shop:
            began_s = time.monotonic()
            told = await carrier.rings(await carrier.number(server={"url": shop.url}, fallbackDestination=DESK))
            took_s = time.monotonic() - began_s
            async with carrier.carried(told) as caller:
                reason, record = await ended(watch, caller)
                assert await heard(watch, caller) == ["I connect you to the desk."]
                in_order(await watch.names(caller.call_id), "playback.finished", "call.transferred", "call.ended")
                updates = caller.messages("transfer-update")
        assert reason == "assistant-request-failed"
        assert 7.4 < took_s < 20
        assert record["destination"]["number"] == updates[0]["destination"]["number"] == DESK["number"]

    await asyncio.gather(apology(), fallback())


async def test_a_destination_takes_the_call_without_an_assistant(carrier: Carrier, watch: BusWatch) -> None:
    destination = {"type": "sip", "sipUri": "sip:desk@example.org"}
    async with office({"destination": destination}) as shop:
        told = await carrier.rings(await carrier.number(server={"url": shop.url}))
        async with carrier.carried(told) as caller:
            reason, record = await ended(watch, caller)
            names = await watch.names(caller.call_id)
        await shop.until_told(told.call, type="status-update", status="forwarding")
    assert reason == "assistant-request-returned-forwarding-phone-number"
    assert told.destination == destination
    assert "speech.say" not in names
    assert record["destination"]["sipUri"] == "sip:desk@example.org"


async def test_a_control_api_that_dies_while_the_server_thinks_makes_one_call_all_the_same(
    stack: Stack, carrier: Carrier, watch: BusWatch
) -> None:
    chosen = scripted(firstMessage="Hello.", firstMessageMode="assistant-speaks-first")
    async with office({"assistant": chosen}, delay_s=2) as shop:
        number = await carrier.number(server={"url": shop.url})
        ringing = asyncio.create_task(carrier.rings(number))
        async with asyncio.timeout(20):
            while not shop.asked:
                await asyncio.sleep(0.02)
        stack.signal("control-api", signal.SIGKILL)
        told = await ringing
        async with carrier.carried(told) as caller:
            await watch.until(caller.call_id, "reply.finished", timeout_s=60)
            await caller.hang_up()
            await ended(watch, caller)
            assert await heard(watch, caller) == ["Hello."]
    assert len({key for key, _ in shop.asked}) == 1, "asked again with the same key"
    assert len(await watch.payloads(told.call, "call.queued")) == 1
