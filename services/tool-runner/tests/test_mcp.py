"""MCP servers made with the official SDK, over both transports, with the guard between."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import uvicorn
from kinds_at_hand import Stored, tool_runner
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_contracts.tool import RemoteTool
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.server_access import ServerAccess
from voxbus_testing.nats import free_port
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.errors import BadAnswer, ServerRefused, ServerTooSlow, ServerUnreachable
from voxbus_tool_runner.kinds.mcp import McpTools, discovered

pytestmark = pytest.mark.integration

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
MIB = 1024 * 1024
LOCAL = "127.0.0.0/8"


class Shop:
    """An MCP server of two tools, and what it was asked."""

    def __init__(self) -> None:
        self.server = MCPServer("shop")
        self.seen: list[Any] = []
        self.headers: list[dict[str, str]] = []

        @self.server.tool(description="Finds an order")
        async def find_order(order: str, ctx: Context[Any, Any]) -> str:  # pyright: ignore[reportUnusedFunction]
            self.seen.append((order, ctx.request_context.meta))
            return f"Order {order} ships on Friday."

        @self.server.tool(name="shop.do", description="Does something")
        async def shop_do(what: str) -> str:  # pyright: ignore[reportUnusedFunction]
            if what == "hang":
                await asyncio.sleep(30)
            if what == "pour":
                return "x" * (2 * MIB)
            raise ValueError("it cannot be done")


@contextlib.asynccontextmanager
async def open_shop(shop: Shop, *, sse: bool = False) -> AsyncGenerator[str]:
    inner = shop.server.sse_app() if sse else shop.server.streamable_http_app()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            shop.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await inner(scope, receive, send)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="none"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}{'/sse' if sse else '/mcp'}"
    finally:
        server.should_exit = server.force_exit = True
        await serving


def config_of(url: str, **tool: Any) -> CallConfig:
    server = {"url": url, "headers": {"x-shop": "north"}, "timeoutSeconds": 20, **tool.pop("server", {})}
    assistant = Assistant.model_validate({"model": {"tools": [{"type": "mcp", "server": server, **tool}]}})
    return CallConfig(org=REF.org, call=REF.call, created_at_ms=1, assistant=assistant)


async def call(
    url: str, name: str, arguments: dict[str, Any], ms: int = 20_000, allow: str = "127.0.0.0/8", **tool: Any
) -> Answer:
    async with customer_client(Guard.parse(allow), 8) as client:
        runner = tool_runner(Stored(config_of(url, **tool)), client)
        command = RunTool(
            tool_call_id="call_1_1",
            tool_name=name,
            arguments=arguments,
            timeout_ms=ms,
            remote=RemoteTool(tool=0, name=name),
        )
        return await runner.perform(await runner.prepare(REF, command, "00-trace"))


@pytest.mark.parametrize("sse", [False, True], ids=["streamable-http", "sse"])
async def test_its_tools_are_found_under_their_names_and_called(sse: bool) -> None:
    shop = Shop()
    metadata = {"protocol": "sse" if sse else "shttp"}
    async with open_shop(shop, sse=sse) as url:
        async with customer_client(Guard.parse("127.0.0.0/8"), 8) as client:
            mcp = McpTools(client, ServerAccess(client, None), max_answer_bytes=MIB)
            config = config_of(url, metadata=metadata)
            found = await mcp.discover(config, config.assistant.model.tools[0])
            asked = len(shop.headers)
            assert await mcp.discover(config, config.assistant.model.tools[0]) == found
            assert len(shop.headers) == asked, "what was found is kept for a while"
        answer = await call(url, "find_order", {"order": "4711"}, metadata=metadata)
    assert [(each.name, each.remote_name) for each in found] == [("find_order", "find_order"), ("shop_do", "shop.do")]
    assert found[0].parameters["properties"]["order"]["type"] == "string"
    assert answer.result == "Order 4711 ships on Friday."
    assert {each["x-shop"] for each in shop.headers} == {"north"}
    ((order, meta),) = shop.seen
    assert order == "4711"
    assert f"{REF.call}:call_1_1" in str(meta)
    assert shop.headers[-1]["idempotency-key"] == f"{REF.call}:call_1_1"


async def test_whatever_goes_wrong_is_said_within_the_limit() -> None:
    shop = Shop()
    async with open_shop(shop) as url:
        assert (await call(url, "shop.do", {"what": "fail"})).error == "Error executing tool shop.do"
        began_s = time.monotonic()
        with pytest.raises(ServerTooSlow, match="within 1 seconds"):
            await call(url, "shop.do", {"what": "hang"}, server={"timeoutSeconds": 1})
        assert time.monotonic() - began_s < 4
        with pytest.raises(BadAnswer, match="more than"):
            await call(url, "shop.do", {"what": "pour"})
        with pytest.raises(BadAnswer, match="refused: Not Found"):
            await call(url.replace("/mcp", "/nothing"), "find_order", {})
    with pytest.raises(ServerUnreachable):
        await call(url, "find_order", {})
    with pytest.raises(ServerRefused, match="must not be reached"):
        await call("http://10.0.0.1/mcp", "find_order", {})
    with pytest.raises(ServerRefused, match="must not be reached"):
        await call(url, "find_order", {}, allow="")


def test_names_are_made_such_as_a_model_may_call() -> None:
    entry = {"description": "d", "inputSchema": {}}
    found = discovered([{"name": "a.b", **entry}, {"name": "a_b", **entry}, {"name": "x" * 70, **entry}])
    assert [(each.name, each.remote_name) for each in found] == [("a_b", "a.b"), ("x" * 64, "x" * 70)]
