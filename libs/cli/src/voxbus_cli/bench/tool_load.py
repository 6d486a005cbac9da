"""`voxbus bench --tools`: what a tool call takes beyond what the customer's own server takes.

Simultaneous calls, each with a quiet caller; every now and then a call is told what its caller would have asked, and
its script calls a tool. Measured from `tool.requested` to `tool.finished`, by the clock of the stream that stores both,
less the time from the request's end to the answer, by the server's own clock.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

from nats.aio.client import Client
from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed

from voxbus_audio import FRAME_MS
from voxbus_cli.bench.behaviour import quiet_frames
from voxbus_cli.bench.figures import spread
from voxbus_cli.bench.light_http import LightHttp
from voxbus_cli.bench.own_stack import RunningStack
from voxbus_cli.errors import CommandFailed
from voxbus_cli.stack.broker import connect
from voxbus_cli.stack.progress import Progress
from voxbus_contracts import DEFAULT_ORG, CallRef
from voxbus_contracts.streams import EVENTS
from voxbus_runtime.stream_reader import read

TARGET_MS: Final = 10.0
SERVER_MS: Final = 50
EVERY_S: Final = 2.0
"""A tool call, its answer spoken, a pause."""
_WARM_S: Final = 4.0
_LAST_WITHIN_S: Final = 3.0
_BUS_WITHIN_S: Final = 15.0
_ASK: Final = {
    "type": "add-message",
    "message": {"role": "user", "content": "please look it up"},
    "triggerResponseEnabled": True,
}


@dataclass(slots=True)
class ToolServer:
    """Answers each tool call after SERVER_MS. `had`: by key, when a request ended and its answer began."""

    had: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; requests follow each other."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
                fields = {name.lower(): value for name, value in fields.items()}
                await reader.readexactly(int(fields.get("content-length", "0")))
                asked_ms = time.time() * 1_000
                await asyncio.sleep(SERVER_MS / 1_000)
                self.had[fields["idempotency-key"]] = (asked_ms, time.time() * 1_000)
                body = json.dumps({"result": "It is there."}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()


def tool_assistant(url: str) -> dict[str, Any]:
    """Calls the tool whenever it is asked, and says a word when it has the answer."""
    rules = [
        {"afterTool": "look", "say": "Found."},
        {"when": "look it up", "call": {"name": "look", "arguments": {"what": "order"}}},
    ]
    parameters = {"type": "object", "properties": {"what": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "look", "parameters": parameters}, "server": {"url": url}}
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "model": {"provider": "vapi", "model": "scripted", "script": {"rules": rules}, "tools": [tool]},
        "transcriber": {"provider": "vapi", "model": "position", "labels": []},
        "silenceTimeoutSeconds": 3_600,
        "maxDurationSeconds": 7_200,
    }


async def tool_load(stack: RunningStack, calls: int, seconds: float, progress: Progress) -> dict[str, Any]:
    """Figures in ms. Raises CommandFailed when no tool was called."""
    server, http, nc = ToolServer(), LightHttp(stack.api, stack.key), await connect(stack.nats, _BUS_WITHIN_S)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as serving:
        assistant = tool_assistant(f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}/tool")
        progress.step(f"{calls} calls, each calling a tool every {EVERY_S:g} s, for {seconds:.0f} s")
        loop = asyncio.get_running_loop()
        began_s = loop.time() + _WARM_S
        lines = [_call(http, assistant, began_s + EVERY_S * n / calls, began_s + seconds) for n in range(calls)]
        try:
            asked = await asyncio.gather(*lines)
            seen = [each for call, _ in asked for each in await _tools_of(nc, call, server)]
        finally:
            await http.close()
            await nc.close()
    return tool_figures(calls, seconds, sum(times for _, times in asked), seen)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """When it was wanted, ordered, asked of the server, answered by it, and finished; ms of one clock."""

    requested_ms: float
    ordered_ms: float
    asked_ms: float
    answered_ms: float
    finished_ms: float

    @property
    def server_ms(self) -> float:
        return self.answered_ms - self.asked_ms

    @property
    def whole_ms(self) -> float:
        return self.finished_ms - self.requested_ms


def tool_figures(calls: int, seconds: float, asked: int, seen: list[ToolCall]) -> dict[str, Any]:
    """The first of each call is among them: it pays for the connection to the server."""
    if not seen:
        raise CommandFailed("no tool was called")
    return {
        "calls": calls,
        "seconds": seconds,
        "asked": asked,
        "answered": len(seen),
        "whole_ms": spread([each.whole_ms for each in seen]),
        "server_ms": spread([each.server_ms for each in seen]),
        "overhead_ms": spread([each.whole_ms - each.server_ms for each in seen]),
        "parts_ms": {
            "until it is ordered": spread([each.ordered_ms - each.requested_ms for each in seen]),
            "until its server has it": spread([each.asked_ms - each.ordered_ms for each in seen]),
            "from its answer on": spread([each.finished_ms - each.answered_ms for each in seen]),
        },
    }


def tool_report(found: dict[str, Any]) -> str:
    """The figures as a table."""
    missed = f"   MISSED: target p95 {TARGET_MS:g} ms" if (found["overhead_ms"]["p95"] or 0.0) > TARGET_MS else ""
    return "\n".join(
        (
            f"{found['calls']} calls for {found['seconds']:g} s, {found['answered']} of {found['asked']} tool calls "
            "answered; from tool.requested to tool.finished, ms",
            f"{'':<26}{'p50':>9}{'p95':>9}{'max':>9}",
            _row("whole", found["whole_ms"]),
            _row("the server's own", found["server_ms"]),
            _row("overhead", found["overhead_ms"]) + missed,
            *(_row(f"  {part}", figures) for part, figures in found["parts_ms"].items()),
        )
    )


def _row(name: str, figures: dict[str, float | None]) -> str:
    shown = ("–" if figures[share] is None else figures[share] for share in ("p50", "p95", "max"))
    return f"{name:<26}" + "".join(f"{value:>9}" for value in shown)


async def _call(http: LightHttp, assistant: dict[str, Any], first_s: float, until_s: float) -> tuple[str, int]:
    """One call, asked every now and then; its id, and how often."""
    placed = await http.request("POST", "/call", {"assistant": assistant, "transport": {"provider": "vapi.websocket"}})
    if placed.status != 201:
        raise CommandFailed(f"POST /call answered {placed.status}: {placed.body[:200].decode(errors='replace')}")
    call = placed.json()
    loop = asyncio.get_running_loop()
    async with _on_the_line(call["transport"]["websocketCallUrl"]):
        due_s, asked = first_s, 0
        while due_s < until_s:
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            await http.request("POST", f"/call/{call['id']}/control", _ASK)
            due_s, asked = due_s + EVERY_S, asked + 1
        await asyncio.sleep(_LAST_WITHIN_S)
    return str(call["id"]), asked


@contextlib.asynccontextmanager
async def _on_the_line(url: str) -> AsyncGenerator[None, None]:
    """A caller who says nothing, in real time, and hangs up at the end."""
    async with dial(url, compression=None, ping_interval=None) as line:

        async def speak() -> None:
            loop, frames = asyncio.get_running_loop(), quiet_frames()
            began_s, sent = loop.time(), 0
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await line.send(frames[sent % len(frames)])
                    sent += 1
                    await asyncio.sleep(max(0.0, began_s + sent * FRAME_MS / 1_000 - loop.time()))

        async def listen() -> None:
            async for _ in line:
                pass

        async with asyncio.TaskGroup() as going:
            tasks = [going.create_task(speak()), going.create_task(listen())]
            yield
            for task in tasks:
                task.cancel()
        with contextlib.suppress(ConnectionClosed):
            await line.send('{"type": "end-call"}')


async def _tools_of(nc: Client, call: str, server: ToolServer) -> list[ToolCall]:
    """All of a call that were answered."""
    ref = CallRef(DEFAULT_ORG, call)
    stored: list[dict[str, float]] = []
    for subject in (ref.event("tool", "requested"), ref.command("tool", "run"), ref.event("tool", "finished")):
        log = read(nc, EVENTS.name, subject)
        stored.append({json.loads(each.data)["tool_call_id"]: each.stored_at_ms async for each in log})
    requested, ordered, finished = stored
    return [
        ToolCall(at_ms, ordered[tool], *server.had[f"{call}:{tool}"], finished[tool])
        for tool, at_ms in requested.items()
        if tool in finished
    ]
