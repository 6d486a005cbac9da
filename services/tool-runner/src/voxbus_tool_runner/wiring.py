"""Puts the tool runner together: the only file that names concrete parts."""

import json

from voxbus_bus.broker import EventBroker
from voxbus_bus.component import ConsumerComponent
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.streams import EVENTS
from voxbus_runtime.bus import Bus
from voxbus_runtime.guard import Guard
from voxbus_runtime.personal import Ciphers
from voxbus_runtime.service import Runtime
from voxbus_runtime.stream_reader import read
from voxbus_tool_runner.guarded_http import guarded_client
from voxbus_tool_runner.handlers import Answered, ToolCommands
from voxbus_tool_runner.runner import ToolRunner
from voxbus_tool_runner.settings import Settings


def answered_in_log(bus: Bus) -> Answered:
    async def answered(ref: CallRef, tool_call_id: str) -> bool:
        async for stored in read(bus.nc, EVENTS.name, ref.event("tool", "finished")):
            if json.loads(stored.data).get("tool_call_id") == tool_call_id:
                return True
        return False

    return answered


async def wire(runtime: Runtime[Settings]) -> ConsumerComponent:
    settings = runtime.settings
    guard = Guard.parse(settings.guard_allow)
    client = guarded_client(guard, settings.tool_workers)
    runner = ToolRunner(
        runtime.bus, client, guard, settings.cluster_key, max_answer_bytes=settings.tool_max_answer_bytes
    )
    publisher = StoredPublisher(runtime.bus, "tool-runner")
    broker = EventBroker(settings.nats_url, runtime.name, runtime.log, opened=Ciphers(runtime.bus).opened)
    ToolCommands(runner, publisher, answered_in_log(runtime.bus), runtime.log).add_to(
        broker, workers=settings.tool_workers
    )
    return ConsumerComponent(broker, on_close=client.aclose)
