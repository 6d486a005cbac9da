"""`voxbus bench --listeners N`: what clients who follow events cost the API while nothing happens.

Half of them follow the organisation, each of the others a call of its own that nobody has connected to. CPU is that of
control-api, first with no listener, then with all of them, at least one keep-alive of each among it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Final
from urllib.parse import urlsplit

from voxbus_cli.bench.api_load import ASSISTANT
from voxbus_cli.bench.light_http import LightHttp
from voxbus_cli.bench.machine import Processes, cpu_seconds, processes_of
from voxbus_cli.bench.own_stack import RunningStack
from voxbus_cli.errors import CommandFailed
from voxbus_cli.stack.progress import Progress

SETTINGS: Final = {"VOXBUS_JOIN_TIMEOUT_MS": "600000"}
"""The calls stay, and nothing happens on them."""

_SERVICE: Final = "control-api"
_SETTLES_S: Final = 5.0
_OPENED_AT_A_TIME: Final = 20
_ANSWER_WITHIN_S: Final = 20.0


async def idle_listeners(stack: RunningStack, count: int, seconds: float, progress: Progress) -> dict[str, Any]:
    """CPU in percent of a core; `kept`: listeners that still had their line at the end."""
    processes = processes_of(stack.pid)
    progress.step(f"nobody listens, for {seconds:.0f} s")
    await asyncio.sleep(_SETTLES_S)
    alone = await _cpu_percent(processes, seconds)
    progress.step(f"{count} listeners come")
    paths = await _paths(stack, count)
    async with contextlib.AsyncExitStack() as lines:
        reading: list[asyncio.Task[int]] = []
        for at in range(0, count, _OPENED_AT_A_TIME):
            opened = (lines.enter_async_context(_line(stack, path)) for path in paths[at : at + _OPENED_AT_A_TIME])
            reading += await asyncio.gather(*opened)
        progress.step(f"{count} listen, for {seconds:.0f} s")
        await asyncio.sleep(_SETTLES_S)
        listening = await _cpu_percent(processes, seconds)
        kept = sum(not task.done() for task in reading)
    return {
        "seconds": seconds,
        "listeners": count,
        "kept": kept,
        "cpu_percent_of_a_core": {name: round(value, 2) for name, value in alone.items()},
        "cpu_percent_of_a_core_with_listeners": {name: round(value, 2) for name, value in listening.items()},
        "listeners_cost_percent": round(listening[_SERVICE] - alone[_SERVICE], 2),
    }


def listeners_report(found: dict[str, Any]) -> str:
    """The figures as two lines."""
    alone, listening = found["cpu_percent_of_a_core"], found["cpu_percent_of_a_core_with_listeners"]
    return (
        f"{found['kept']} of {found['listeners']} idle listeners kept their line for {found['seconds']:.0f} s\n"
        f"{_SERVICE}: {alone[_SERVICE]:.2f} % of a core without them, {listening[_SERVICE]:.2f} % with them: "
        f"they cost {found['listeners_cost_percent']:.2f} %"
    )


async def _paths(stack: RunningStack, count: int) -> list[str]:
    http = LightHttp(stack.api, stack.key)
    body = {"assistant": ASSISTANT, "transport": {"provider": "vapi.websocket"}}
    paths = ["/event"] * (count - count // 2)
    try:
        for _ in range(count // 2):
            answer = await http.request("POST", "/call", body)
            if answer.status != 201:
                raise CommandFailed(
                    f"POST /call answered {answer.status}: {answer.body[:200].decode(errors='replace')}"
                )
            paths.append(f"/call/{answer.json()['id']}/events")
    finally:
        await http.close()
    return paths


@contextlib.asynccontextmanager
async def _line(stack: RunningStack, path: str) -> AsyncGenerator[asyncio.Task[int]]:
    """A client that reads whatever comes; its task is done when the server has hung up."""
    parts = urlsplit(stack.api)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    task: asyncio.Task[int] | None = None
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {stack.key}\r\n"
        writer.write(f"{head}Accept: text/event-stream\r\n\r\n".encode())
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            status, _, _ = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        if b" 200 " not in status:
            raise CommandFailed(f"{path} answered {status.decode('latin-1')}")
        task = asyncio.create_task(_read(reader))
        yield task
    finally:
        if task is not None:
            task.cancel()
        writer.close()


async def _read(reader: asyncio.StreamReader) -> int:
    """Bytes until the line is closed."""
    size = 0
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            size += len(piece)
    return size


async def _cpu_percent(processes: Processes, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    before, began_s = cpu_seconds(processes), loop.time()
    await asyncio.sleep(seconds)
    passed_s = loop.time() - began_s
    return {name: (used_s - before[name]) / passed_s * 100 for name, used_s in cpu_seconds(processes).items()}
