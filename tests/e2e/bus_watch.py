"""What an internal team sees: the events and commands of the bus, in the order they were stored."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import structlog

from voxbus_contracts import DEFAULT_ORG, CallRef
from voxbus_runtime.bus import Bus, connect
from voxbus_runtime.errors import NotStored
from voxbus_runtime.sequencing import LoggedMessage


@dataclass
class BusWatch:
    """Reads the log of a call from EVENTS whenever asked."""

    bus: Bus

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator["BusWatch"]:
        bus = await connect(url, "watch", structlog.get_logger())
        try:
            yield cls(bus)
        finally:
            await bus.close()

    async def log(self, call_id: str) -> list[LoggedMessage]:
        for _ in range(3):
            with contextlib.suppress(NotStored):  # the bus is being restarted
                return await self.bus.call_log(CallRef(DEFAULT_ORG, call_id))
        raise AssertionError("the log of the call cannot be read")

    async def names(self, call_id: str) -> list[str]:
        return [message.name for message in await self.log(call_id)]

    async def payloads(self, call_id: str, name: str) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for message in await self.log(call_id) if message.name == name]

    async def until(self, call_id: str, name: str, count: int = 1, timeout_s: float = 15) -> list[dict[str, Any]]:
        """Payloads of `name` once there are `count` of them."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = await self.payloads(call_id, name)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{count} × {name} not seen within {timeout_s} s: {await self.names(call_id)}")

    async def owners(self, call_id: str, stage: str, count: int = 1, timeout_s: float = 15) -> list[str]:
        """Workers that claimed a stage, by epoch, once there are `count` of them."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            claims = [claim for claim in await self.payloads(call_id, "stage.claimed") if claim["stage"] == stage]
            if len(claims) >= count:
                return [str(claim["worker"]) for claim in sorted(claims, key=lambda claim: claim["epoch"])]
            await asyncio.sleep(0.05)
        raise AssertionError(f"{count} claims of {stage} not seen within {timeout_s} s")


def in_order(names: list[str], *wanted: str) -> None:
    """Asserts that `wanted` appear in this order among `names`."""
    position = 0
    for name in wanted:
        assert name in names[position:], f"{name} is missing behind {names[:position]}, in {names}"
        position += names[position:].index(name) + 1
