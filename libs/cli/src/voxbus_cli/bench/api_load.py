"""`voxbus bench --api-load`: how the REST API bears reads of one assistant and starts of calls at fixed rates.

A start is a POST /call that is answered with the address of its WebSocket; nobody calls it. A joined start is the whole
way: the caller's WebSocket, every stage claimed, the call in progress, then hung up, at a rate that leaves the stages
room on two cores. Recognizer and model are the position recognizer and a script: what is measured is the stack.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from websockets.asyncio.client import connect

from voxbus_cli.bench.figures import spread
from voxbus_cli.bench.light_http import Answer, LightHttp
from voxbus_cli.bench.machine import Processes, cpu_seconds, processes_of
from voxbus_cli.bench.open_loop import Act, Failed, open_loop
from voxbus_cli.bench.own_stack import RunningStack
from voxbus_cli.stack.progress import Progress

READS_PER_S: Final = 200.0
STARTS_PER_S: Final = 50.0
JOINED_PER_S: Final = 10.0
_WARM_S: Final = 2.0
_IN_PROGRESS_WITHIN_S: Final = 15.0
_BETWEEN_S: Final = 2.0

ASSISTANT: Final[dict[str, Any]] = {
    "name": "load",
    "firstMessageMode": "assistant-waits-for-user",
    "model": {"provider": "vapi", "model": "scripted", "script": {"rules": [{"when": "hello", "say": "Hello."}]}},
    "transcriber": {"provider": "vapi", "model": "position", "labels": []},
    "clientMessages": ["status-update"],
    "metadata": {"about": "an assistant of usual size", "lines": ["a line that is kept and given back"] * 20},
}


@dataclass(frozen=True, slots=True)
class Load:
    """What is done how often. `name` is its key in the figures."""

    name: str
    title: str
    act: Act
    rate_per_s: float


async def api_load(stack: RunningStack, seconds: float, progress: Progress) -> dict[str, Any]:
    """Each load for `seconds` at its rate, one after the other; figures in ms."""
    processes = processes_of(stack.pid) if stack.pid else None
    found: dict[str, Any] = {"seconds": seconds}
    http = LightHttp(stack.api, stack.key)
    try:
        assistant_id = _expect(await http.request("POST", "/assistant", ASSISTANT), 201)["id"]
        for load in _loads(http, assistant_id):
            progress.step(f"{load.title}: {load.rate_per_s:g} a second for {seconds:.0f} s")
            await open_loop(load.act, load.rate_per_s / 4, _WARM_S)
            await asyncio.sleep(_BETWEEN_S)
            found[load.name] = await _measured(load, seconds, processes)
    finally:
        await http.close()
    return found


def _loads(http: LightHttp, assistant_id: str) -> list[Load]:
    body = {"assistantId": assistant_id, "transport": {"provider": "vapi.websocket"}}

    async def read(_number: int) -> None:
        _expect(await http.request("GET", f"/assistant/{assistant_id}"), 200)

    async def start(_number: int) -> None:
        _expect(await http.request("POST", "/call", body), 201)

    async def start_joined(_number: int) -> None:
        call = _expect(await http.request("POST", "/call", body), 201)
        await _join(call["transport"]["websocketCallUrl"])

    return [
        Load("get_assistant", "GET /assistant/{id}", read, READS_PER_S),
        Load("call_start", "POST /call", start, STARTS_PER_S),
        Load("joined_start", "joined, in progress, hung up", start_joined, JOINED_PER_S),
    ]


async def _join(url: str) -> None:
    """Raises Failed unless the call comes into progress; then hangs up."""
    async with connect(url, compression=None, ping_interval=None) as line, asyncio.timeout(_IN_PROGRESS_WITHIN_S):
        async for message in line:
            if isinstance(message, str) and _is_in_progress(json.loads(message)):
                break
        else:
            raise Failed(f"the line closed with {line.close_code} before the call was in progress")
        await line.send('{"type": "end-call"}')
        await line.wait_closed()


def _is_in_progress(message: dict[str, Any]) -> bool:
    return message.get("type") == "status-update" and message.get("status") == "in-progress"


def _expect(answer: Answer, status: int) -> dict[str, Any]:
    if answer.status != status:
        raise Failed(f"answered {answer.status}: {answer.body[:120].decode(errors='replace')}")
    return answer.json()


async def _measured(load: Load, seconds: float, processes: Processes | None) -> dict[str, Any]:
    """The load's figures, with the CPU time per action that each service took if the stack is ours."""
    before = cpu_seconds(processes) if processes else {}
    outcome = await open_loop(load.act, load.rate_per_s, seconds)
    used = {name: used_s - before[name] for name, used_s in cpu_seconds(processes).items()} if processes else {}
    return {
        "title": load.title,
        "rate_per_s": outcome.rate_per_s,
        "asked": outcome.due,
        "answered": len(outcome.took_ms),
        "took_ms": spread(outcome.took_ms),
        "generator_late_ms": spread(outcome.sent_late_ms),
        "cpu_ms": {name: round(used_s * 1_000 / outcome.due, 2) for name, used_s in used.items()},
        "errors": dict(outcome.errors),
    }


def api_load_report(found: dict[str, Any]) -> str:
    """The figures as a table."""
    lines = [
        f"API load, {found['seconds']:.0f} s each; times from when a request was due, ms",
        f"{'':<30}{'per s':>7}{'asked':>8}{'failed':>8}{'p50':>9}{'p95':>9}{'max':>9}",
        *(_row(part) for part in _parts(found)),
    ]
    for part in _parts(found):
        most = sorted(part["cpu_ms"].items(), key=lambda item: -item[1])
        if shown := ", ".join(f"{service} {ms:g}" for service, ms in most if ms >= 0.05):
            lines.append(f"CPU each, ms, {part['title']}: {shown}")
        lines.extend(f"{part['title']}: {count} × {error}" for error, count in part["errors"].items())
    return "\n".join(lines)


def _row(part: dict[str, Any]) -> str:
    failed, times = part["asked"] - part["answered"], part["took_ms"]
    shown = "".join(f"{'–' if times[key] is None else times[key]:>9}" for key in ("p50", "p95", "max"))
    return f"{part['title']:<30}{part['rate_per_s']:>7g}{part['asked']:>8}{failed:>8}{shown}"


def _parts(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in found.values() if isinstance(part, dict)]


def has_failed(found: dict[str, Any]) -> bool:
    """Whether anything was refused, lost or too late to be waited for."""
    return any(part["errors"] for part in _parts(found))
