"""The tool runner as a whole, with a real bus, a real customer's server and the guard between them."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn

from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import DEFAULT_ORG, CallRef, decode
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import ToolFinished
from voxbus_runtime.bus import Bus
from voxbus_testing.nats import bus_at, free_port, start_service, store_config
from voxbus_tool_runner.demo_server import demo_app
from voxbus_tool_runner.settings import Settings
from voxbus_tool_runner.wiring import wire

pytestmark = pytest.mark.integration


@asynccontextmanager
async def demo_shop() -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(demo_app(), host="127.0.0.1", port=port, log_level="warning", ws="none"))
    serving = asyncio.create_task(server._serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/tools/order-status"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def deaf_shop() -> AsyncIterator[str]:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def call_with_tools(bus: Bus, urls: dict[str, str]) -> CallRef:
    tools = [{"type": "function", "function": {"name": name}, "server": {"url": url}} for name, url in urls.items()]
    assistant = Assistant.model_validate({"model": {"tools": tools}})
    config = CallConfig(org=DEFAULT_ORG, call=str(uuid.uuid4()), created_at_ms=1, assistant=assistant)
    await store_config(bus, config)
    return config.ref


async def ask(bus: Bus, ref: CallRef, name: str, order: str = "four seven one one", timeout_ms: int = 5_000) -> None:
    command = RunTool(tool_call_id=f"call_{name}", tool_name=name, arguments={"order": order}, timeout_ms=timeout_ms)
    await StoredPublisher(bus, "llm-orchestrator").publish_stored(ref, command, event_id=f"{ref.call}.{name}")


async def finished(bus: Bus, ref: CallRef, count: int) -> list[ToolFinished]:
    async with asyncio.timeout(10):
        while True:
            log = await bus.call_log(ref)
            found = [decode(m.kind, m.name, m.payload) for m in log if m.name == "tool.finished"]
            if len(found) >= count:
                return [each for each in found if isinstance(each, ToolFinished)]
            await asyncio.sleep(0.02)


async def test_a_tool_call_reaches_the_customers_server_and_comes_back(nats_url: str, tmp_path: Path) -> None:
    settings = Settings(nats_url=nats_url, data_dir=tmp_path, guard_allow="127.0.0.0/8")
    async with bus_at(nats_url) as bus, demo_shop() as url:
        service = await start_service("tool-runner", settings, wire, "tool-runner-1")
        ref = await call_with_tools(bus, {"order_status": url})
        await ask(bus, ref, "order_status")
        (answer,) = await finished(bus, ref, 1)
        await service.stop()
    assert answer.result == "Order 4 7 1 1 is packed and ships on Friday."


async def test_a_private_address_is_refused_unless_the_installation_allows_it(nats_url: str, tmp_path: Path) -> None:
    settings = Settings(nats_url=nats_url, data_dir=tmp_path)
    async with bus_at(nats_url) as bus, demo_shop() as url:
        service = await start_service("tool-runner", settings, wire, "tool-runner-1")
        ref = await call_with_tools(bus, {"order_status": url})
        await ask(bus, ref, "order_status")
        (answer,) = await finished(bus, ref, 1)
        await service.stop()
    assert answer.result is None
    assert "must not be reached" in str(answer.error)


async def test_a_server_that_hangs_holds_up_nobody_else(nats_url: str, tmp_path: Path) -> None:
    settings = Settings(nats_url=nats_url, data_dir=tmp_path, guard_allow="127.0.0.0/8", tool_workers=4)
    async with bus_at(nats_url) as bus, demo_shop() as url, deaf_shop() as deaf_url:
        service = await start_service("tool-runner", settings, wire, "tool-runner-1")
        ref = await call_with_tools(bus, {"deaf": deaf_url, "order_status": url})
        await ask(bus, ref, "deaf", timeout_ms=1_500)
        await ask(bus, ref, "order_status")
        first, second = await finished(bus, ref, 2)
        await service.stop()
    assert (first.tool_name, second.tool_name) == ("order_status", "deaf")
    assert "within 1.5 seconds" in str(second.error)
