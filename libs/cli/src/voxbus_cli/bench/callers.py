"""The process of the callers: they keep their time, whatever the stack does. `python -m …` reads a Job from stdin.

Says on stdout, one JSON object a line: `window` once all is set up, `turns` as they are answered, `finished` when the
last answer was heard, and `result` after the line `over` came in: until then every call stays up.
"""

import asyncio
import contextlib
import gc
import json
import os
import random
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import httpx
import uvloop
import websockets
from websockets.asyncio.client import ClientConnection, connect

from voxbus_audio import FRAME_MS
from voxbus_cli.bench.behaviour import question_frames, quiet_frames
from voxbus_cli.bench.conversation import Asking, Turn

_FRAME_S: Final = FRAME_MS / 1_000
_FIRST_QUESTION_S: Final = 1.0
_SPREAD_S: Final = 1.5
_RECORD_WITHIN_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Job:
    """What the callers are to do. Calls begin over `ramp_s`; after `warm_s` more, `measure_s` are measured."""

    api: str
    key: str
    assistant: dict[str, Any]
    calls: int
    ramp_s: float
    warm_s: float
    measure_s: float
    interrupts: bool


@dataclass(slots=True)
class Line:
    """One caller and what happened to the call."""

    asking: Asking
    number: int
    call_id: str = ""
    error: str = ""
    late_ms: list[float] = field(default_factory=list[float])


class Callers:
    """All calls of a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._http = httpx.AsyncClient(
            base_url=job.api, headers={"Authorization": f"Bearer {job.key}"}, timeout=20, trust_env=False
        )
        question, quiet = question_frames(), quiet_frames()
        began_s = time.monotonic()
        self.from_s = began_s + job.ramp_s + job.warm_s
        self.until_s = self.from_s + job.measure_s
        self.lines: list[Line] = []
        self._starts_s: list[float] = []
        for number in range(job.calls):
            starts_s = began_s + job.ramp_s * number / job.calls
            first_s = starts_s + _FIRST_QUESTION_S + random.random() * _SPREAD_S
            self._starts_s.append(starts_s)
            self.lines.append(Line(Asking(question, quiet, first_s, job.interrupts), number))
        self._over = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Returns when every call has ended and its record was read."""
        _say({"window": [self.from_s, self.until_s]})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen_to_parent())
            calls = [
                tasks.create_task(self._call(line, starts_s))
                for line, starts_s in zip(self.lines, self._starts_s, strict=True)
            ]
            tasks.create_task(self._report(calls))
        await asyncio.gather(*map(self._read_record, self.lines))
        await self._http.aclose()
        return {
            "turns": [asdict(turn) for turn in self._measured()],
            "all_turns": sum(len(line.asking.turns) for line in self.lines),
            "late_ms": [ms for line in self.lines for ms in line.late_ms],
            "errors": [f"call {line.number}: {line.error}" for line in self.lines if line.error],
        }

    def _measured(self) -> list[Turn]:
        """Turns that were asked inside the window."""
        turns = [turn for line in self.lines for turn in line.asking.turns]
        return [turn for turn in turns if self.from_s <= turn.asked_s <= self.until_s]

    async def _listen_to_parent(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.readline()
        self._over.set()

    async def _report(self, calls: list[asyncio.Task[None]]) -> None:
        is_finished = False
        while not all(call.done() for call in calls):
            await asyncio.sleep(1.0)
            _say({"turns": sum(turn.first_s is not None for turn in self._measured())})
            if not is_finished and all(line.asking.is_done or line.error for line in self.lines):
                is_finished = True
                _say({"finished": True})

    async def _call(self, line: Line, starts_s: float) -> None:
        await asyncio.sleep(starts_s - time.monotonic())
        try:
            url = await self._place(line)
            async with connect(url, compression=None, max_queue=None, ping_interval=None) as socket:
                hearing = asyncio.create_task(_hear(socket, line.asking))
                try:
                    await self._speak(socket, line, hearing)
                    await socket.send(json.dumps({"type": "end-call"}))
                finally:
                    hearing.cancel()
                    await asyncio.gather(hearing, return_exceptions=True)
        except (OSError, httpx.HTTPError, websockets.WebSocketException, _HungUp) as wrong:
            line.error = str(wrong) or type(wrong).__name__

    async def _place(self, line: Line) -> str:
        body = {"assistant": self._job.assistant, "transport": {"provider": "vapi.websocket"}}
        answer = await self._http.post("/call", json=body)
        if not answer.is_success:
            raise _HungUp(f"POST /call: {answer.status_code} {answer.text[:200]}")
        call = answer.json()
        line.call_id = call["id"]
        return str(call["transport"]["websocketCallUrl"])

    async def _speak(self, socket: ClientConnection, line: Line, hearing: "asyncio.Task[None]") -> None:
        """A frame every 20 ms from a moment of its own, until all is over."""
        asking = line.asking
        due_s = time.monotonic() + random.random() * _FRAME_S
        while not self._over.is_set():
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            now_s = time.monotonic()
            if now_s >= self.from_s:
                line.late_ms.append((now_s - due_s) * 1_000)
            if now_s >= self.until_s:
                asking.finish()
            await socket.send(asking.frame(now_s, 0.4 + random.random() * 0.6))
            asking.sent(time.monotonic())
            due_s += _FRAME_S
            if hearing.done():
                raise _HungUp(f"the call was ended with {socket.close_code} {socket.close_reason}")

    async def _read_record(self, line: Line) -> None:
        """Notes the v2v of the call's turns as its record has them, if it has as many."""
        until_s = time.monotonic() + _RECORD_WITHIN_S
        record: dict[str, Any] = {}
        while line.call_id and record.get("status") != "ended" and time.monotonic() < until_s:
            with contextlib.suppress(httpx.HTTPError):
                record = (await self._http.get(f"/call/{line.call_id}")).json()
            await asyncio.sleep(0.2)
        metrics = (record.get("artifact") or {}).get("performanceMetrics") or {}
        told = metrics.get("voxbusTurns") or []
        if len(told) == len(line.asking.turns):
            for turn, as_told in zip(line.asking.turns, told, strict=True):
                turn.told_ms, turn.parts_ms = as_told.get("v2v_ms"), as_told.get("parts", {})


class _HungUp(Exception):
    """The call cannot go on."""


async def _hear(socket: ClientConnection, asking: Asking) -> None:
    async for message in socket:
        if isinstance(message, bytes):
            asking.heard(message, time.monotonic())


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    job = Job(**json.loads(sys.stdin.readline()))
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    gc.collect()
    gc.disable()

    async def run() -> dict[str, Any]:
        return await Callers(job).run()

    _say({"result": uvloop.run(run())})


if __name__ == "__main__":
    main()
