"""Messages between a service and its child process, and the child's end of the pipe.

On the wire: length of the rest (u32), exchange (u32), kind (u8), body; big endian. An exchange is one conversation over
the pipe; its number is chosen by the service. Kinds below 16 belong to the pipe itself. Imports nothing heavy: children
are many.
"""

import os
import select
import signal
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from voxbus_providers.errors import ProviderError, ProviderMissing, ProviderRejected, ProviderUnavailable

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
_HEAD: Final = struct.Struct("!IIB")
_LENGTH_BYTES: Final = 4
_REST_OF_HEAD_BYTES: Final = _HEAD.size - _LENGTH_BYTES
_READ_BYTES: Final = 65_536
_STDIN, _STDOUT, _STDERR = 0, 1, 2


class PipeKind(IntEnum):
    """Kinds of the pipe itself; an engine's own start at FIRST_FREE."""

    CLOSE = 0
    PING = 1
    PONG = 2
    READY = 3
    FAULT = 4
    FIRST_FREE = 16


class PipeBroken(ValueError):
    """What came through is no message: the two ends do not speak the same protocol."""


@dataclass(frozen=True, slots=True)
class PipeMessage:
    """One message of one exchange."""

    exchange: int
    kind: int
    body: bytes


def packed(exchange: int, kind: int, body: bytes = b"") -> bytes:
    """The bytes of one message."""
    return _HEAD.pack(_REST_OF_HEAD_BYTES + len(body), exchange, kind) + body


class PipeParser:
    """Bytes, however they are cut → messages."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[PipeMessage]:
        """Every message that `data` completes; raises PipeBroken."""
        rest = self._rest
        rest += data
        found: list[PipeMessage] = []
        at = 0
        while len(rest) - at >= _HEAD.size:
            length, exchange, kind = _HEAD.unpack_from(rest, at)
            if not _REST_OF_HEAD_BYTES <= length <= _REST_OF_HEAD_BYTES + MAX_BODY_BYTES:
                raise PipeBroken(f"a message of {length} bytes")
            end = at + _LENGTH_BYTES + length
            if len(rest) < end:
                break
            found.append(PipeMessage(exchange, kind, bytes(rest[at + _HEAD.size : end])))
            at = end
        del rest[:at]
        return found


_FAULTS: Final[tuple[type[ProviderError], ...]] = (ProviderUnavailable, ProviderRejected, ProviderMissing)


def fault_body(fault: ProviderError) -> bytes:
    """A provider's error as the body of a FAULT."""
    number = next((n for n, kind in enumerate(_FAULTS) if isinstance(fault, kind)), 0)
    return bytes([number]) + fault.detail.encode(errors="replace")


def fault_of(provider: str, body: bytes) -> ProviderError:
    """The error a FAULT carries."""
    kind = _FAULTS[body[0]] if body and body[0] < len(_FAULTS) else ProviderUnavailable
    return kind(provider, body[1:].decode(errors="replace"))


class ChildPipe:
    """The child's end: blocking, for one thread.

    Takes over standard input and output; whatever libraries print goes to standard error. The child ends when its
    input does, that is with its service, and not by the signals of a terminal.
    """

    def __init__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self._in = os.dup(_STDIN)
        self._out = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, _STDIN)
        os.close(null)
        self._parser = PipeParser()

    def messages(self, idle: Callable[[], None] | None = None) -> Iterator[PipeMessage]:
        """What the service says, until it hangs up; pings are answered here.

        `idle` is called whenever everything that has arrived is handled.
        """
        while True:
            if idle is not None and not select.select([self._in], [], [], 0)[0]:
                idle()
            data = os.read(self._in, _READ_BYTES)
            if not data:
                return
            for message in self._parser.feed(data):
                if message.kind == PipeKind.PING:
                    self.send(message.exchange, PipeKind.PONG)
                else:
                    yield message

    def send(self, exchange: int, kind: int, body: bytes = b"") -> None:
        """To the service; waits while it does not read. Ends the process when the service is gone."""
        view = memoryview(packed(exchange, kind, body))
        while view:
            try:
                view = view[os.write(self._out, view) :]
            except BrokenPipeError:
                os._exit(0)

    def ready(self) -> None:
        """The engine is loaded."""
        self.send(0, PipeKind.READY)

    def fault(self, exchange: int, fault: ProviderError) -> None:
        """The exchange failed; exchange 0 before `ready` = the engine cannot start."""
        self.send(exchange, PipeKind.FAULT, fault_body(fault))
