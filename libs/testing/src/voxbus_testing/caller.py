"""A caller who knows the public API only: places a call, speaks in real time, hears and reads what comes back."""

import asyncio
import contextlib
import functools
import json
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect

from voxbus_testing.speech import hush

FRAME_BYTES = 640
FRAME_S = 0.02
LOUD = 500
HELD_UP_MS = 100.0
"""Half of the shortest silence that ends a turn."""
MOVED = 1012
"""The server moves the call: the line is to be opened again at once."""
_REDIAL_EVERY_S = 0.2
_REDIAL_FOR_S = 9.0


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all callers: to read the certificates takes tens of milliseconds, in which nobody speaks."""
    return ssl.create_default_context()


@dataclass
class Heard:
    """What reached the caller, with the time since the call's first frame was sent, s."""

    audio: list[tuple[float, bytes]] = field(default_factory=list)
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    close_code: int | None = None


class Caller:
    """One call. Frames of a quiet line are sent whenever there is nothing to say."""

    def __init__(self, api_url: str, key: str) -> None:
        self.api_url = api_url
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(base_url=api_url, headers=headers, timeout=20, verify=_tls(), trust_env=False)
        self.call_id = ""
        self.url = ""
        self.heard = Heard()
        self.sent_frames = 0
        self.late_ms: list[float] = []
        self.held_up_s: list[float] = []
        """When the machine kept the caller from speaking for so long that it sounded like a pause; monotonic clock."""
        self._say = bytearray()
        self._started_s = 0.0
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.silent = False
        self.closed = asyncio.Event()
        self.lost_s: list[tuple[float, float]] = []
        """When a line that broke without a word was away, on the monotonic clock."""
        self.moves = 0
        self._has_hung_up = False

    # --- placing -----------------------------------------------------------------------------------------------

    async def place(self, assistant: dict[str, Any] | str | None, **body: Any) -> dict[str, Any]:
        """POST /call for an assistant (or the id of one) over the WebSocket transport; returns the answer.

        None = the body says who speaks.
        """
        who: dict[str, Any] = {"assistantId": assistant} if isinstance(assistant, str) else {"assistant": assistant}
        who = {} if assistant is None else who
        transport = {"provider": "vapi.websocket", **body.pop("transport", {})}
        answer = await self._http.post("/call", json={**who, "transport": transport, **body})
        answer.raise_for_status()
        call: dict[str, Any] = answer.json()
        self.call_id, self.url = call["id"], call["transport"]["websocketCallUrl"]
        return call

    async def dial(self) -> None:
        """Connects, and sends and receives from now on."""
        self._socket = await connect(self.url, compression=None, max_queue=None, ping_interval=None)
        self.closed.clear()
        self._started_s = self._started_s or time.monotonic()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    async def break_line(self) -> None:
        """The connection is cut without a word."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.transport.abort()

    async def keep_line(self) -> None:
        """Until cancelled: dials again on the same URL whenever the line closes and the server keeps the call."""
        while True:
            await self.closed.wait()
            if self._has_hung_up or self.heard.close_code == 1000:
                return
            lost_s = time.monotonic()
            is_moved = self.heard.close_code == MOVED
            await self._dial_again(lost_s + _REDIAL_FOR_S)
            if is_moved:
                self.moves += 1
            else:
                self.lost_s.append((lost_s, time.monotonic()))

    async def _dial_again(self, until_s: float) -> None:
        while time.monotonic() < until_s:
            with contextlib.suppress(OSError, websockets.WebSocketException, TimeoutError):
                await self.break_line()
                await self.dial()
                return
            await asyncio.sleep(_REDIAL_EVERY_S)

    async def hang_up(self) -> None:
        self._has_hung_up = True
        await self.send({"type": "end-call"})

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            with contextlib.suppress(websockets.WebSocketException, OSError):
                await self._socket.close()
        await self._http.aclose()

    # --- speaking ----------------------------------------------------------------------------------------------

    @property
    def clock_ms(self) -> int:
        """The caller's own clock: audio sent so far."""
        return self.sent_frames * 20

    def say(self, pcm: bytes) -> int:
        """Speaks after what is being said; returns when it begins on the caller's clock, ms."""
        begins = self.clock_ms + len(self._say) // FRAME_BYTES * 20
        padding = -len(pcm) % FRAME_BYTES
        self._say += pcm + bytes(padding)
        return begins

    async def said(self) -> None:
        """Waits until everything has been sent."""
        while self._say:
            await asyncio.sleep(FRAME_S / 2)

    async def send(self, message: dict[str, Any] | str | bytes) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps(message) if isinstance(message, dict) else message)

    async def _send(self) -> None:
        assert self._socket is not None
        quiet = [hush(20, seed) for seed in range(16)]
        due_s = time.monotonic()
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                if not self.silent:
                    frame = bytes(self._say[:FRAME_BYTES]) if self._say else quiet[self.sent_frames % 16]
                    del self._say[:FRAME_BYTES]
                    await self._socket.send(frame)
                self.sent_frames += 1
                self.late_ms.append((time.monotonic() - due_s) * 1000)
                if self.late_ms[-1] > HELD_UP_MS:
                    self.held_up_s.append(time.monotonic())
                due_s += FRAME_S
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    # --- hearing -----------------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        assert self._socket is not None
        try:
            async for message in self._socket:
                at_s = time.monotonic() - self._started_s
                if isinstance(message, bytes):
                    self.heard.audio.append((at_s, message))
                else:
                    self.heard.messages.append((at_s, json.loads(message)))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.heard.close_code = self._socket.close_code
            self.closed.set()

    def messages(self, kind: str) -> list[dict[str, Any]]:
        return [message for _, message in self.heard.messages if message.get("type") == kind]

    async def until(self, condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
        """Waits until `condition()` is true and returns its value; fails naming `what`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            await asyncio.sleep(0.02)
        kinds = [message.get("type") for _, message in self.heard.messages][-8:]
        raise AssertionError(f"{what} did not happen within {timeout_s} s; last messages: {kinds}")

    async def until_quiet(self, quiet_s: float = 0.6, timeout_s: float = 20) -> None:
        """Waits until the agent has been silent for a while."""

        def is_quiet() -> bool:
            last = self.heard.audio[-1][0] if self.heard.audio else 0.0
            return time.monotonic() - self._started_s - last > quiet_s

        await self.until(is_quiet, timeout_s, "silence of the agent")

    def agent_pcm(self) -> bytes:
        """All the agent's audio, pauses left out."""
        return b"".join(pcm for _, pcm in self.heard.audio)

    # --- reading -----------------------------------------------------------------------------------------------

    async def record(self) -> dict[str, Any]:
        """GET /call/{id} as it is now."""
        answer = await self._http.get(f"/call/{self.call_id}")
        answer.raise_for_status()
        return answer.json()

    async def ended_record(self, timeout_s: float = 15) -> dict[str, Any]:
        """The record once the call has ended and its last cost is there: that of the transport."""
        deadline = time.monotonic() + timeout_s
        while True:
            record = await self.record()
            costs = [row["type"] for row in record.get("costs", [])]
            if record["status"] == "ended" and "transport" in costs:
                return record
            if time.monotonic() > deadline:
                raise AssertionError(f"the record is not complete: {record['status']}, costs {record.get('costs')}")
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def calling(
    api_url: str, key: str, assistant: dict[str, Any] | str | None, **body: Any
) -> AsyncGenerator[Caller]:
    """A placed and connected call."""
    caller = Caller(api_url, key)
    try:
        await caller.place(assistant, **body)
        await caller.dial()
        yield caller
    finally:
        await caller.close()
