"""What a tool of each type does on a real call: what is on the bus, what its server gets, what the caller hears."""

import asyncio
import contextlib
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

from voxbus_audio import tone_power
from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

Json = dict[str, Any]
PORT = free_ports(1)
BASE = f"http://127.0.0.1:{PORT}"


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
    pcm, _, labels = speech_at("please look it up")
    rules = [
        {"afterTool": name, "failed": True, "say": "It failed. {{result}}"},
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


async def test_a_request_to_an_api_is_spoken_of(stack: Stack, watch: BusWatch, world: World) -> None:
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


async def test_something_is_looked_up_in_an_uploaded_file(stack: Stack, watch: BusWatch, world: World) -> None:
    text = b"# Returns\n\nShoes can be returned within thirty days.\n\n# Hours\n\nWe open at nine."
    async with httpx.AsyncClient(base_url=stack.api, headers={"Authorization": f"Bearer {stack.key}"}) as http:
        made = await http.post("/file", files={"file": ("rules.md", text, "text/markdown")})
    bases = [{"name": "rules", "description": "returns and hours", "fileIds": [made.json()["id"]]}]
    tool = {"type": "query", "knowledgeBases": bases}
    assistant, pcm = assistant_with(tool, "query", {"query": "when can shoes be returned"}, "{{result.0.text}}")
    await heard_of(stack, watch, assistant, pcm, "within thirty days")


async def test_a_tool_of_an_mcp_server_is_found_and_run(stack: Stack, watch: BusWatch, world: World) -> None:
    tool = {"type": "mcp", "server": {"url": f"{BASE}/mcp"}}
    assistant, pcm = assistant_with(tool, "find_shelf", {"book": "Emma"})
    call = await heard_of(stack, watch, assistant, pcm, "Emma stands on shelf nine")
    (found,) = await watch.payloads(call, "tool.discovered")
    assert [each["name"] for each in found["tools"]] == ["find_shelf"]


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
