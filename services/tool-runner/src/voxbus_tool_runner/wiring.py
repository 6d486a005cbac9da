"""Puts the tool runner together: the only file that names concrete parts."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import httpx

from voxbus_bus.batches import BatchReader
from voxbus_bus.broker import EventBroker
from voxbus_bus.component import ConsumerComponent
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.commands import DiscoverTools
from voxbus_contracts.events import DiscoveredTool
from voxbus_contracts.offering import mcp_tools
from voxbus_contracts.streams import DELIVERER, EVENTS
from voxbus_objects import open_store
from voxbus_runtime.bus import Bus
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, operator_client, tls_context
from voxbus_runtime.outbound_warm_up import warm_up
from voxbus_runtime.personal import Ciphers
from voxbus_runtime.server_access import ServerAccess
from voxbus_runtime.service import Runtime
from voxbus_runtime.stream_reader import read
from voxbus_runtime.tasks import end
from voxbus_tool_runner.asking import Asker
from voxbus_tool_runner.deliveries.delivering import Deliverer
from voxbus_tool_runner.deliveries.lanes import LanesOnBus
from voxbus_tool_runner.deliveries.posting import Poster
from voxbus_tool_runner.handlers import Answered, Discovery, ToolCommands
from voxbus_tool_runner.kinds.api_request import ApiRequestTools
from voxbus_tool_runner.kinds.function import FunctionTools
from voxbus_tool_runner.kinds.mcp import McpTools
from voxbus_tool_runner.kinds.query import QueryTools
from voxbus_tool_runner.kinds.sms import SmsTools
from voxbus_tool_runner.knowledge.library import Library
from voxbus_tool_runner.known_calls import LearntConfigs
from voxbus_tool_runner.receipts import FirstAttempt, Receipts, worker_of
from voxbus_tool_runner.runner import Kind, ToolRunner
from voxbus_tool_runner.settings import Settings

_GATHER_S: Final = 0.005
"""A message is sent nearly as soon as it is there."""


def answered_in_log(bus: Bus) -> Answered:
    async def answered(ref: CallRef, tool_call_id: str) -> bool:
        async for stored in read(bus.nc, EVENTS.name, ref.event("tool", "finished")):
            if json.loads(stored.data).get("tool_call_id") == tool_call_id:
                return True
        return False

    return answered


def first_attempt_in_log(bus: Bus) -> FirstAttempt:
    async def first(ref: CallRef, tool_call_id: str) -> str:
        async for stored in read(bus.nc, EVENTS.name, ref.event("tool", "attempted")):
            if worker := worker_of(stored.data, tool_call_id):
                return worker
        return ""

    return first


def tool_kinds(
    runtime: Runtime[Settings], client: httpx.AsyncClient, vendors: httpx.AsyncClient, publisher: StoredPublisher
) -> tuple[Mapping[str, Kind], Callable[[ToolRunner], Discovery]]:
    """Every type there is, and how MCP servers are asked what they have."""
    settings, key = runtime.settings, runtime.settings.cluster_key
    most = settings.tool_max_answer_bytes
    access, asker = ServerAccess(client, key), Asker(client, most)
    receipts = Receipts(publisher, first_attempt_in_log(runtime.bus), runtime.worker)
    mcp = McpTools(client, access, max_answer_bytes=most)
    kinds: dict[str, Kind] = {
        "function": FunctionTools(asker, access, key),
        "apiRequest": ApiRequestTools(asker, access, key),
        "query": QueryTools(Library(open_store(settings.objects_address))),
        "mcp": mcp,
        "sms": SmsTools(Asker(vendors, most), receipts, settings.twilio_base_url, key),
    }

    def discovery(runner: ToolRunner) -> Discovery:
        async def discover(ref: CallRef, command: DiscoverTools) -> tuple[DiscoveredTool, ...]:
            config = await runner.config(ref, command.member)
            tools = mcp_tools(config.assistant.model.tools)
            return await mcp.discover(config, tools[command.tool]) if command.tool < len(tools) else ()

        return discover

    return kinds, discovery


class ToolRunnerComponent(ConsumerComponent):
    """Tools by the broker, deliveries by a reader of their own beside it."""

    def __init__(
        self,
        runtime: Runtime[Settings],
        broker: EventBroker,
        deliverer: Deliverer,
        tls: ssl.SSLContext,
        on_close: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(broker, on_close=on_close)
        self._tls = tls
        self._runtime = runtime
        self._deliverer = deliverer
        self._reader = BatchReader(DELIVERER, lambda: runtime.bus.nc, deliverer.handle, _GATHER_S)
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        with contextlib.suppress(httpx.HTTPError, OSError):
            await warm_up(self._tls)
        await super().start()
        await self._reader.start()
        self._tasks = [self._runtime.spawn(self._deliverer.keep_alive(), "deliveries")]

    async def drain(self) -> int:
        await self._reader.stop()
        await self._deliverer.stop()
        await end(*self._tasks)
        return await super().drain()


async def wire(runtime: Runtime[Settings]) -> ToolRunnerComponent:
    settings = runtime.settings
    guard = Guard.parse(settings.guard_allow)
    tls = tls_context()
    client = customer_client(guard, settings.tool_workers, tls=tls)
    vendors = operator_client(tls)
    ciphers = Ciphers(runtime.bus)
    publisher = StoredPublisher(runtime.bus, "tool-runner", ciphers=ciphers)
    kinds, discovery = tool_kinds(runtime, client, vendors, publisher)
    runner = ToolRunner(LearntConfigs(runtime.bus, ciphers), kinds)
    broker = EventBroker(settings.nats_url, runtime.name, runtime.log, opened=ciphers.opened)
    commands = ToolCommands(runner, discovery(runner), publisher, answered_in_log(runtime.bus), runtime.log)
    commands.add_to(broker, workers=settings.tool_workers)
    delivering = customer_client(guard, settings.delivery_connections, tls=tls)
    poster = Poster(delivering, settings.cluster_key)
    deliverer = Deliverer(LanesOnBus(runtime.bus), poster, runtime.log)

    async def close() -> None:
        await client.aclose()
        await vendors.aclose()
        await delivering.aclose()

    return ToolRunnerComponent(runtime, broker, deliverer, tls, close)
