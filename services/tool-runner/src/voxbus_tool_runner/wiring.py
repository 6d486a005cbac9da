"""Puts the tool runner together: the only file that names concrete parts."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from voxbus_bus.batches import BatchReader
from voxbus_bus.broker import EventBroker
from voxbus_bus.component import ConsumerComponent
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.streams import DELIVERER, EVENTS
from voxbus_runtime.bus import Bus
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, tls_context
from voxbus_runtime.personal import Ciphers
from voxbus_runtime.service import Runtime
from voxbus_runtime.stream_reader import read
from voxbus_runtime.tasks import end
from voxbus_tool_runner.deliveries.delivering import Deliverer
from voxbus_tool_runner.deliveries.lanes import LanesOnBus
from voxbus_tool_runner.deliveries.posting import Poster
from voxbus_tool_runner.handlers import Answered, ToolCommands
from voxbus_tool_runner.runner import ToolRunner
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


class ToolRunnerComponent(ConsumerComponent):
    """Tools by the broker, deliveries by a reader of their own beside it."""

    def __init__(
        self,
        runtime: Runtime[Settings],
        broker: EventBroker,
        deliverer: Deliverer,
        on_close: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(broker, on_close=on_close)
        self._runtime = runtime
        self._deliverer = deliverer
        self._reader = BatchReader(DELIVERER, lambda: runtime.bus.nc, deliverer.handle, _GATHER_S)
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
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
    runner = ToolRunner(runtime.bus, client, settings.cluster_key, max_answer_bytes=settings.tool_max_answer_bytes)
    publisher = StoredPublisher(runtime.bus, "tool-runner")
    broker = EventBroker(settings.nats_url, runtime.name, runtime.log, opened=Ciphers(runtime.bus).opened)
    ToolCommands(runner, publisher, answered_in_log(runtime.bus), runtime.log).add_to(
        broker, workers=settings.tool_workers
    )
    delivering = customer_client(guard, settings.delivery_connections, tls=tls)
    poster = Poster(delivering, settings.cluster_key)
    deliverer = Deliverer(LanesOnBus(runtime.bus), poster, runtime.log)

    async def close() -> None:
        await client.aclose()
        await delivering.aclose()

    return ToolRunnerComponent(runtime, broker, deliverer, close)
