"""A WebSocket whose audio is handed over the moment its bytes are read, and written without a task."""

from collections.abc import Callable
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import BINARY, Frame
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.speedups import apply_mask

PLAIN_BYTES: Final = 64 * 1024
"""Longer messages take about 1 ms to decode: they go the way on which other calls get their turn in between."""

_UNWRITTEN_BYTES: Final = 4 * 1024

# RFC 6455, 5.2: a whole binary message; the mask bit; lengths that need two bytes more.
_WHOLE_BINARY: Final = 0x82
_MASKED: Final = 0x80
_SHORT: Final = 126
_LONG: Final = 127
_MASK_BYTES: Final = 4


class MediaConnection(ServerConnection):
    """The library queues each message, wakes a task for it, parses and locks for each; this takes a tenth of that.

    Whole binary messages that come while `on_audio` is set are taken out of the stream here, at the borders of the
    protocol's frames. Everything else is the library's: handshake, control frames, texts, long and cut-up messages.
    """

    on_audio: Callable[[bytes], bool] | None = None
    _rest = b""
    _knows_borders = False
    """What comes next begins with a frame's first byte."""
    _is_the_librarys = False
    """All that still comes: a border was lost sight of."""

    def hand_over_audio(self, on_audio: Callable[[bytes], bool]) -> None:
        """Binary messages go to `on_audio` at once, unless some wait to be read; those that wait must come first.

        When it gives False the client is to be held back: the rest goes the library's way.
        """
        if not len(self.recv_messages.frames):
            self.on_audio = on_audio

    def data_received(self, data: bytes) -> None:
        if not self._knows_borders and not self._find_border():
            super().data_received(data)
            return
        data = self._rest + data if self._rest else data
        self._rest = b""
        at, others_from, length = 0, 0, len(data)
        while length - at >= 2:
            head, size = data[at], data[at + 1] & ~_MASKED
            is_masked = data[at + 1] & _MASKED
            if size == _LONG or not is_masked:
                break
            body = at + 2 + _MASK_BYTES
            if size == _SHORT:
                body += 2
                size = int.from_bytes(data[at + 2 : at + 4], "big")
            end = body + size
            if end > length:
                break
            if head == _WHOLE_BINARY and self.on_audio is not None:
                if others_from < at:
                    super().data_received(data[others_from:at])
                self._take(data[body:end], data[body - _MASK_BYTES : body])
                others_from = end
            at = end
        if others_from < at:
            super().data_received(data[others_from:at])
        self._keep(data[at:])

    def process_event(self, event: Frame | Request) -> None:  # type: ignore[override]
        """What comes through the library must not be overtaken: it is read first."""
        if isinstance(event, Frame) and (event.opcode is BINARY or not event.fin):
            self.on_audio = None
        super().process_event(event)

    def eof_received(self) -> None:
        if self._rest:
            rest, self._rest = self._rest, b""
            super().data_received(rest)
        super().eof_received()

    def send_at_once(self, wire: bytes) -> bool:
        """Writes a binary message; False when the socket does not keep up or is closing."""
        if self.protocol.state is not OPEN or self.transport.get_write_buffer_size() > _UNWRITTEN_BYTES:
            return False
        size = len(wire)
        if size < _SHORT:
            self.transport.write(b"%c%c%b" % (_WHOLE_BINARY, size, wire))
        elif size <= PLAIN_BYTES - 1:
            self.transport.write(b"%c%c%b%b" % (_WHOLE_BINARY, _SHORT, size.to_bytes(2, "big"), wire))
        else:
            return False
        return True

    def _find_border(self) -> bool:
        """Once the handshake is over frames begin, unless some came with it."""
        if self._is_the_librarys or self.protocol.state is not OPEN:
            return False
        self._is_the_librarys = len(self.protocol.reader.buffer) > 0
        self._knows_borders = not self._is_the_librarys
        return self._knows_borders

    def _take(self, masked: bytes, mask: bytes) -> None:
        if self.on_audio is not None and not self.on_audio(apply_mask(masked, mask)):
            self.on_audio = None

    def _keep(self, rest: bytes) -> None:
        """A frame that is not whole waits here; one that is long, or not what clients may send, is the library's."""
        is_long = len(rest) >= 2 and (rest[1] & ~_MASKED == _LONG or not rest[1] & _MASKED)
        if is_long:
            self._knows_borders, self._is_the_librarys = False, True
            super().data_received(rest)
        else:
            self._rest = rest
