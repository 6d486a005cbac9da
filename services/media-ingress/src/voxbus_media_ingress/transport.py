"""A caller's WebSocket, from its first moment: read before the call is owned, so that nothing waits in the socket."""

import asyncio
import contextlib
import socket as sockets
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from voxbus_audio import wire_format
from voxbus_contracts.config import TransportFormat
from voxbus_media_ingress.alarm import now_ms
from voxbus_media_ingress.caller_side import CallerSide
from voxbus_media_ingress.connection import MediaConnection
from voxbus_media_ingress.ending import BROKEN, STUCK, Ending, socket_closed
from voxbus_media_ingress.line import CallerLine

_SEND_BUFFER_BYTES: Final = 64 * 1024
_FLUSH_S: Final = 1.0
_MAX_EARLY_TEXTS: Final = 100
_log = structlog.get_logger()


class Transport:
    """Reads and writes one socket. Audio goes onto the caller clock at once; texts wait for `serve`."""

    def __init__(self, socket: MediaConnection, fmt: TransportFormat, stuck_ms: int) -> None:
        self.arrived_ms = now_ms()
        self.fmt = wire_format(fmt.encoding, fmt.sample_rate_hz)
        self.line = CallerLine(socket, stuck_ms, lambda: self._end(STUCK))
        self.caller = CallerSide(self.fmt, self.line.text)
        self._socket = socket
        self._early: list[str] = []
        self._on_text: Callable[[str], None] = self._keep
        self._on_end: Callable[[Ending], None] | None = None
        self._ending: Ending | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        # What the kernel holds for a caller that does not read cannot be taken back, and hides that it does not.
        plain = self._socket.transport.get_extra_info("socket")
        plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._socket.hand_over_audio(self.caller.hear)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._guarded(self._read)), loop.create_task(self._guarded(self.line.run))]

    def serve(self, on_text: Callable[[str], None], on_end: Callable[[Ending], None]) -> None:
        """Texts go to `on_text`, those that wait first; `on_end` is called when the socket is gone or stuck."""
        early, self._early = self._early, []
        for text in early:
            on_text(text)
        self._on_text = on_text
        self._on_end = on_end
        if self._ending is not None:
            on_end(self._ending)

    async def close(self, ending: Ending) -> None:
        """Writes what waits, tells the client why, and closes; cuts the socket off when there is no close code."""
        reading, writing = self._tasks
        reading.cancel()
        if ending.close_code is not None:
            await self.line.flush(_FLUSH_S)
            await self._socket.close(ending.close_code, ending.reason)
        elif self._socket.state is not State.CLOSED:
            self._socket.transport.abort()
        writing.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for received in self._socket:
                if isinstance(received, str):
                    self._on_text(received)
                else:
                    await self.caller.on_bytes(received)
                    self._socket.hand_over_audio(self.caller.hear)
        protocol = self._socket.protocol
        came_first = protocol.close_rcvd if protocol.close_rcvd_then_sent else protocol.close_sent
        close = came_first or protocol.close_rcvd
        self._end(socket_closed(close.code if close else None, close.reason if close else "connection lost"))

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception:  # noqa: BLE001 - whatever breaks ends this one transport, with its traceback in the log
            _log.exception("a task of the transport failed")
            self._end(BROKEN)

    def _keep(self, text: str) -> None:
        if len(self._early) < _MAX_EARLY_TEXTS:
            self._early.append(text)

    def _end(self, ending: Ending) -> None:
        self._ending = self._ending or ending
        if self._on_end is not None:
            self._on_end(self._ending)
