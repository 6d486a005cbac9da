"""The caller's socket, written to without ever being waited for."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

from websockets.exceptions import ConnectionClosed

from voxbus_audio import FRAME_MS
from voxbus_media_ingress.connection import MediaConnection

_MAX_TEXT_BYTES: Final = 4 * 1024 * 1024


class CallerLine:
    """Queues audio and text for the socket, in order. `on_stuck` is called once when it does not read."""

    def __init__(self, socket: MediaConnection, stuck_ms: int, on_stuck: Callable[[], None]) -> None:
        self._socket = socket
        self._stuck_ms = stuck_ms
        self._on_stuck = on_stuck
        self._waiting: deque[bytes | str] = deque()
        self._audio_ms = 0
        self._text_bytes = 0
        self._is_stuck = False
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def audio(self, wire: bytes) -> None:
        """20 ms of sound in the caller's format; written at once unless something waits before it."""
        if self._idle.is_set() and not self._is_stuck and self._socket.send_at_once(wire):
            return
        self._put(wire)
        self._audio_ms += FRAME_MS
        if self._audio_ms > self._stuck_ms:
            self._give_up()

    def text(self, text: str) -> None:
        self._put(text)
        self._text_bytes += len(text)
        if self._text_bytes > _MAX_TEXT_BYTES:
            self._give_up()

    async def run(self) -> None:
        """Writes until cancelled or the socket is closed."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                while self._waiting:
                    await self._socket.send(self._take())
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()

    async def flush(self, timeout_s: float) -> None:
        """Waits until all is written, as long as the socket reads."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)

    def _put(self, item: bytes | str) -> None:
        if self._is_stuck:
            return
        self._waiting.append(item)
        self._idle.clear()
        self._wake.set()

    def _take(self) -> bytes | str:
        item = self._waiting.popleft()
        if isinstance(item, bytes):
            self._audio_ms -= FRAME_MS
        else:
            self._text_bytes -= len(item)
        return item

    def _give_up(self) -> None:
        if self._is_stuck:
            return
        self._is_stuck = True
        self._waiting.clear()
        self._audio_ms = self._text_bytes = 0
        self._on_stuck()
