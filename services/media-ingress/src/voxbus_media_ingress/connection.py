"""A WebSocket whose audio is handed over the moment its bytes are read, and written without a task."""

from collections.abc import Callable
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import BINARY, Frame
from websockets.http11 import Request
from websockets.protocol import OPEN

PLAIN_BYTES: Final = 64 * 1024
"""Longer messages take about 1 ms to decode: they go the way on which other calls get their turn in between."""

_UNWRITTEN_BYTES: Final = 4 * 1024


class MediaConnection(ServerConnection):
    """The library queues each message, wakes a task for it, and locks each send: 80 µs a frame; this is a tenth."""

    on_audio: Callable[[bytes], bool] | None = None

    def hand_over_audio(self, on_audio: Callable[[bytes], bool]) -> None:
        """Binary messages go to `on_audio` at once, unless some wait to be read; those that wait must come first.

        When it gives False the client is to be held back: the rest goes the library's way.
        """
        if not len(self.recv_messages.frames):
            self.on_audio = on_audio

    def process_event(self, event: Frame | Request) -> None:  # type: ignore[override]
        if self.on_audio is not None and isinstance(event, Frame) and event.opcode is BINARY:
            if event.fin and len(event.data) <= PLAIN_BYTES:
                if not self.on_audio(bytes(event.data)):
                    self.on_audio = None
                return
            self.on_audio = None  # what comes later must not overtake it
        super().process_event(event)

    def send_at_once(self, wire: bytes) -> bool:
        """Writes a binary message; False when the socket does not keep up or is closing."""
        if self.protocol.state is not OPEN or self.transport.get_write_buffer_size() > _UNWRITTEN_BYTES:
            return False
        self.protocol.send_binary(wire)
        self.send_data()
        return True
