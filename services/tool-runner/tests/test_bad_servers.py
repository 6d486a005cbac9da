"""A customer's server that hangs, fails, drips or pours, for real: the model is told in time, nothing is kept of it."""

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from kinds_at_hand import tool_runner

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.tasks import end
from voxbus_tool_runner.errors import BadAnswer, ServerTooSlow, ToolError

pytestmark = pytest.mark.integration

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
LIMIT_S = 1.0
MIB = 1024 * 1024

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(behave: Behaviour) -> AsyncGenerator[str]:
    """A server that reads a request's head and then behaves."""
    tasks: set[asyncio.Task[None]] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await behave(writer)
        writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/tool"
    finally:
        server.close()
        await end(*tasks)


async def hangs(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def fails(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\noops")
    await writer.drain()


async def drips(writer: asyncio.StreamWriter) -> None:
    """Each byte is in time for a limit per read; all of them never are."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def pours(writer: asyncio.StreamWriter) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {100 * MIB}\r\n\r\n".encode())
    for _ in range(100):
        writer.write(b"x" * MIB)
        await writer.drain()


def function_at(url: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "look"}, "server": {"url": url, "timeoutSeconds": LIMIT_S}}


def request_at(url: str) -> dict[str, Any]:
    return {"type": "apiRequest", "name": "look", "method": "GET", "url": url, "timeoutSeconds": LIMIT_S}


class Stored:
    def __init__(self, tool: dict[str, Any]) -> None:
        assistant = Assistant.model_validate({"model": {"tools": [tool]}})
        self.config = CallConfig(org=REF.org, call=REF.call, created_at_ms=1, assistant=assistant)

    async def read_config(self, ref: CallRef) -> CallConfig | None:
        return self.config


@pytest.mark.parametrize("tool_at", [function_at, request_at])
@pytest.mark.parametrize(
    ("behave", "error", "told", "within_s"),
    [
        (hangs, ServerTooSlow, "within 1 seconds", LIMIT_S + 0.5),
        (drips, ServerTooSlow, "within 1 seconds", LIMIT_S + 0.5),
        (fails, BadAnswer, "status 500", LIMIT_S),
        (pours, BadAnswer, f"more than {MIB} bytes", LIMIT_S),
    ],
)
async def test_the_model_is_told_within_the_limit(
    behave: Behaviour, error: type[ToolError], told: str, within_s: float, tool_at: Callable[[str], dict[str, Any]]
) -> None:
    guard = Guard.parse("127.0.0.0/8")
    command = RunTool(tool_call_id="call_1_1", tool_name="look", arguments={}, timeout_ms=20_000)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with serving(behave) as url, customer_client(guard, 4) as client:
        runner = tool_runner(Stored(tool_at(url)), client)
        job = await runner.prepare(REF, command, "")
        began_s = time.monotonic()
        with pytest.raises(error, match=told):
            await runner.perform(job)
        assert time.monotonic() - began_s < within_s
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 20 * 1024
