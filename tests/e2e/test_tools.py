"""What a tool of each type does on a real call: what is on the bus, what its server gets, what the caller hears."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from fastapi import FastAPI, Request
from mcp.server import MCPServer
from stack import Stack, free_ports, running

from voxbus_audio import peak, tone_power
from voxbus_testing.caller import LOUD, Caller, calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

Json = dict[str, Any]
PORT = free_ports(1)
BASE = f"http://127.0.0.1:{PORT}"
SLOW_S = 10
MOST_SILENCE_S = 2.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`voxbus up`, whose text messages are handed in here."""
    with running(tmp_path_factory.mktemp("tools") / "data", VOXBUS_TWILIO_BASE_URL=BASE) as started:
        yield started


@dataclass
class World:
    """Everything the tools reach: an API, Twilio's Messages.json, an MCP server. `held` = answers wait for it."""

    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list[Any])
    held: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Any:
        app, server = FastAPI(), MCPServer("shop")

        @app.get("/orders/{order}")
        async def order(order: str, request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
            self.asked.append(("order", dict(request.headers)))
            await self.held.wait()
            return {"status": f"order {order} ships on Friday"}

        @app.post("/2010-04-01/Accounts/{account}/Messages.json", status_code=201)
        async def message(account: str, request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
            self.asked.append(
                ("sms", {**dict(request.headers), **{k: str(v) for k, v in (await request.form()).items()}})
            )
            await self.held.wait()
            return {"sid": "SM1", "status": "queued"}

        @app.post("/tool")
        async def function(body: Json, request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
            self.asked.append(("function", dict(request.headers)))
            await self.held.wait()
            return answered(body, "The box is packed.")

        @app.post("/slow")
        async def slow(body: Json) -> Json:  # pyright: ignore[reportUnusedFunction]
            await asyncio.sleep(SLOW_S)
            return answered(body, "The order ships on Friday.")

        @server.tool(description="Finds a shelf")
        async def find_shelf(book: str) -> str:  # pyright: ignore[reportUnusedFunction]
            return f"The book {book} stands on shelf nine."

        shelves = server.streamable_http_app()

        async def both(scope: Any, receive: Any, send: Any) -> None:
            is_mcp = scope["type"] == "lifespan" or scope.get("path", "").startswith("/mcp")
            await (shelves if is_mcp else app)(scope, receive, send)

        return both

    async def until(self, kind: str, count: int, timeout_s: float = 60) -> list[dict[str, str]]:
        async with asyncio.timeout(timeout_s):
            while len(found := [headers for what, headers in self.asked if what == kind]) < count:
                await asyncio.sleep(0.05)
        return found


def answered(body: Json, result: str) -> Json:
    return {"results": [{"toolCallId": body["message"]["toolCallList"][0]["id"], "result": result}]}


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    made = World()
    made.held.set()
    server = uvicorn.Server(uvicorn.Config(made.app(), host="127.0.0.1", port=PORT, log_level="error", ws="none"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    yield made
    made.held.set()
    server.should_exit = server.force_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def assistant_with(
    tool: Json, name: str, arguments: Json, said: str = "{{result}}", **fields: Any
) -> tuple[Json, bytes]:
    """Calls the tool when the caller asks, then says what came of it."""
    pcm, _, labels = speech_at("please look it up.")
    rules = [
        {"afterTool": name, "failed": True, "say": "It failed."},
        {"afterTool": name, "say": said},
        {"when": "look", "call": {"name": name, "arguments": arguments}},
    ]
    made = hearing(scripted(*rules, **fields), labels)
    made["model"]["tools"] = [tool]
    return made, pcm


async def heard_of(stack: Stack, watch: BusWatch, assistant: Json, pcm: bytes, words: str) -> str:
    """The call's id, once the assistant was heard to say these words."""
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        async with asyncio.timeout(60):
            while not any(words in each["heard"] for each in await watch.payloads(caller.call_id, "reply.finished")):
                await asyncio.sleep(0.1)
        await caller.hang_up()
        await caller.ended_record()
        return caller.call_id


def silences_s(caller: Caller, from_s: float, to_s: float) -> list[float]:
    """How long nothing was heard, each time; what arrives is played at once, or behind what is still playing."""
    found: list[float] = []
    played_s, loud_s = 0.0, from_s
    for at_s, pcm in caller.heard.audio:
        begins_s = max(at_s, played_s)
        played_s = begins_s + len(pcm) / 32_000
        if peak(pcm) <= LOUD or not from_s < begins_s < to_s:
            continue
        found.append(begins_s - loud_s)
        loud_s = played_s
    return found


@dataclass(frozen=True)
class Waited:
    """What a caller heard from when the tool was wanted until its answer was spoken."""

    said: list[tuple[str, int]]
    """Of the tool while it ran: why, and how many ms after it was wanted."""
    silences_s: list[float]
    late_s: float
    """How late the machine let the caller itself be, at worst."""


async def slow_call(stack: Stack, watch: BusWatch, tool: Json) -> Waited:
    assistant, pcm = assistant_with(tool, "look_up", {})
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        (finished,) = await watch.until(caller.call_id, "tool.finished", timeout_s=60)
        async with asyncio.timeout(30):
            while not any("Friday" in each["heard"] for each in await watch.payloads(caller.call_id, "reply.finished")):
                await asyncio.sleep(0.1)
        (wanted,) = await watch.payloads(caller.call_id, "tool.requested")
        started = await watch.payloads(caller.call_id, "reply.started")
        late_s = max(caller.late_ms) / 1_000
        found = silences_s(caller, wanted["pts_ms"] / 1_000, caller.clock_ms / 1_000)
        await caller.hang_up()
        await caller.ended_record()
    assert finished["duration_ms"] >= SLOW_S * 1_000
    said = [
        (each["cause"].replace(f":{wanted['tool_call_id']}", ""), each["pts_ms"] - wanted["pts_ms"])
        for each in started
        if each["source"] == "tool-message"
    ]
    return Waited(said, found, late_s)


async def asks_an_api(stack: Stack, watch: BusWatch, world: World) -> None:
    body = {"type": "object", "properties": {"order": {"type": "string"}}}
    tool = {
        "type": "apiRequest",
        "name": "find_order",
        "method": "GET",
        "url": f"{BASE}/orders/{{{{order}}}}",
        "body": body,
    }
    assistant, pcm = assistant_with(tool, "find_order", {"order": "7"}, "{{result.status}}")
    call = await heard_of(stack, watch, assistant, pcm, "order 7 ships on Friday")
    (headers,) = await world.until("order", 1)
    assert headers["idempotency-key"].startswith(f"{call}:")


async def looks_up_in_a_file(stack: Stack, watch: BusWatch) -> None:
    text = b"# Returns\n\nShoes can be returned within thirty days.\n\n# Hours\n\nWe open at nine."
    key = {"Authorization": f"Bearer {stack.key}"}
    async with httpx.AsyncClient(base_url=stack.api, headers=key, timeout=30) as http:
        made = await http.post("/file", files={"file": ("rules.md", text, "text/markdown")})
    bases = [{"name": "rules", "description": "returns and hours", "fileIds": [made.json()["id"]]}]
    tool = {"type": "query", "knowledgeBases": bases}
    assistant, pcm = assistant_with(tool, "query", {"query": "when can shoes be returned"}, "{{result.0.text}}")
    await heard_of(stack, watch, assistant, pcm, "within thirty days")


async def finds_a_tool_of_an_mcp_server(stack: Stack, watch: BusWatch) -> None:
    tool = {"type": "mcp", "server": {"url": f"{BASE}/mcp"}}
    assistant, pcm = assistant_with(tool, "find_shelf", {"book": "Emma"})
    call = await heard_of(stack, watch, assistant, pcm, "Emma stands on shelf nine")
    (found,) = await watch.payloads(call, "tool.discovered")
    assert [each["name"] for each in found["tools"]] == ["find_shelf"]


async def sends_a_text_message(stack: Stack, watch: BusWatch, world: World) -> None:
    account = {"provider": "twilio", "accountSid": "AC2", "authToken": "hush-4c7a"}
    sms = {"type": "sms", "metadata": {"from": "+14155550199"}}
    text = {"message": "It ships.", "to": "+14155550100"}
    assistant, pcm = assistant_with(sms, "sms", text, credentials=[account])
    await heard_of(stack, watch, assistant, pcm, "The message was sent")
    (sent,) = await world.until("sms", 1)
    assert (sent["To"], sent["Body"]) == ("+14155550100", "It ships.")


async def test_an_api_a_file_an_mcp_server_and_a_text_message_are_each_spoken_of_in_a_call_at_the_same_time(
    stack: Stack, watch: BusWatch, world: World
) -> None:
    await asyncio.gather(
        asks_an_api(stack, watch, world),
        looks_up_in_a_file(stack, watch),
        finds_a_tool_of_an_mcp_server(stack, watch),
        sends_a_text_message(stack, watch, world),
    )


async def test_keys_are_heard_as_tones(stack: Stack, watch: BusWatch, world: World) -> None:
    assistant, pcm = assistant_with({"type": "dtmf"}, "dtmf", {"keys": "5w#"}, "Done.")
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        (sent,) = await watch.until(caller.call_id, "dtmf.sent", timeout_s=40)
        await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=20)
        heard = caller.agent_pcm()
        await caller.hang_up()
        await caller.ended_record()
    assert sent["digits"] == "5w#"
    loudest = {
        hz: max(tone_power(heard[at : at + 1_920], hz) for at in range(0, max(1, len(heard) - 1_920), 640))
        for hz in (697.0, 770.0, 941.0, 1336.0, 1477.0)
    }
    assert min(loudest[hz] for hz in (770.0, 1336.0, 941.0, 1477.0)) > 0.02, "5 and # were heard"
    assert loudest[697.0] < 0.005, "no other key was"


async def test_a_machine_gets_its_message_and_the_call_ends(stack: Stack, watch: BusWatch, world: World) -> None:
    assistant, pcm = assistant_with({"type": "voicemail"}, "voicemail", {}, voicemailMessage="Please call the shop.")
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm)
        record = await caller.ended_record(timeout_s=60)
        finished = await watch.payloads(caller.call_id, "reply.finished")
    assert record["endedReason"] == "voicemail"
    assert finished[-1]["heard"] == "Please call the shop."


async def test_a_rejected_call_never_reaches_the_server(stack: Stack, watch: BusWatch, world: World) -> None:
    never = {"conditions": [{"type": "regex", "regex": "password", "negate": True}]}
    tool = {
        "type": "apiRequest",
        "name": "find_order",
        "method": "GET",
        "url": f"{BASE}/orders/1",
        "rejectionPlan": never,
    }
    assistant, pcm = assistant_with(tool, "find_order", {})
    call = await heard_of(stack, watch, assistant, pcm, "It failed")
    assert world.asked == []
    assert await watch.payloads(call, "tool.run") == []


async def test_a_killed_tool_runner_sends_no_text_message_twice_and_asks_servers_again_with_the_same_key(
    stack: Stack, watch: BusWatch, world: World
) -> None:
    async with httpx.AsyncClient(base_url=stack.api, headers={"Authorization": f"Bearer {stack.key}"}) as http:
        posted = {"provider": "twilio", "accountSid": "AC1", "authToken": "hush-9d1f", "name": "sms"}
        credential = (await http.post("/credential", json=posted)).json()["id"]
    sms = {"type": "sms", "credentialId": credential, "metadata": {"from": "+14155550199"}}
    api = {"type": "apiRequest", "name": "find_order", "method": "GET", "url": f"{BASE}/orders/1"}
    function = {"type": "function", "function": {"name": "pack"}, "server": {"url": f"{BASE}/tool"}}
    text = {"message": "It ships.", "to": "+14155550100"}
    world.held.clear()
    finished: dict[str, Json] = {}
    async with contextlib.AsyncExitStack() as lines:
        callers: dict[str, Caller] = {}
        for kind, tool, name, arguments in (
            ("sms", sms, "sms", text),
            ("order", api, "find_order", {}),
            ("function", function, "pack", {}),
        ):
            assistant, pcm = assistant_with(tool, name, arguments)
            callers[kind] = await lines.enter_async_context(calling(stack.api, stack.key, assistant))
            callers[kind].say(pcm)  # at once: its words are known by their place in the call
        for kind in callers:
            await world.until(kind, 1)
        stack.signal("tool-runner", signal.SIGKILL)
        keys = {
            kind: {each["idempotency-key"] for each in await world.until(kind, 2)} for kind in ("order", "function")
        }
        world.held.set()
        for kind, caller in callers.items():
            (finished[kind],) = await watch.until(caller.call_id, "tool.finished", timeout_s=40)
            await caller.hang_up()
            await caller.ended_record()
    assert "not known whether the message was sent" in finished["sms"]["error"]
    assert "ships on Friday" in finished["order"]["result"]
    assert finished["function"]["result"] == "The box is packed."
    assert {kind: len(each) for kind, each in keys.items()} == {"order": 1, "function": 1}
    (sent,) = await world.until("sms", 1)
    assert (sent["To"], sent["From"], sent["Body"]) == ("+14155550100", "+14155550199", "It ships.")
    assert len(await watch.payloads(callers["sms"].call_id, "tool.attempted")) == 1
    assert [p for p in stack.data_dir.rglob("*") if p.is_file() and b"hush-9d1f" in p.read_bytes()] == []


async def test_a_tool_of_ten_seconds_is_announced_at_its_times_and_leaves_no_dead_air(
    stack: Stack, watch: BusWatch, world: World
) -> None:
    """Of two calls one has words of its own for its tool; behind the last of them the platform goes on."""
    own = [
        {"type": "request-start", "content": "Let me look."},
        {"type": "request-response-delayed", "timingMilliseconds": 2_500, "content": "The shop is slow today."},
        {"type": "request-response-delayed", "timingMilliseconds": 5_000, "content": "It still is."},
    ]
    tool = {"type": "function", "function": {"name": "look_up"}, "server": {"url": f"{BASE}/slow"}}
    plain, with_own = await asyncio.gather(
        slow_call(stack, watch, tool),
        slow_call(stack, watch, {**tool, "messages": own}),
    )
    said_ms = [ms for _, ms in plain.said]
    assert said_ms[0] < 1_200, "announced after 0.7 s"
    assert len(said_ms) >= 3, "the fourth is due when the tool is"
    assert max(plain.silences_s) <= MOST_SILENCE_S + plain.late_s, plain
    assert [cause for cause, _ in with_own.said[:3]] == ["tool-start", "tool-late:2500", "tool-late:5000"]
    for (_, ms), due_ms in zip(with_own.said, (0, 2_500, 5_000), strict=False):
        assert due_ms - 50 <= ms < due_ms + 500 + 1_000 * with_own.late_s, with_own
    assert max(with_own.silences_s) <= MOST_SILENCE_S + with_own.late_s, with_own
