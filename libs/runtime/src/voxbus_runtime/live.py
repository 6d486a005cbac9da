"""The live side of a NATS connection: frames and events handed over and written without a task in between.

nats-py gives every message to a queue and wakes a task for it, and wakes another one for every message it sends. At
fifty frames a second and call that is most of what a service does (measured November 2026: 80 µs a message, of which
the handler needs 10). Here the parser calls the handler itself, and what is sent in one turn of the loop is one write.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.protocol.parser import Parser
from structlog.stdlib import BoundLogger

LiveHandler = Callable[[str, dict[str, str] | None, bytes], None]
"""Subject, headers (None = none), payload. Must neither block nor raise; what it raises is logged and left."""

MAX_UNWRITTEN_BYTES: Final = 8 * 1024 * 1024
"""While a connection holds so much that the server has not taken, live audio is dropped: it would come too late."""

_CRLF: Final = b"\r\n"
_STATUS_BYTES: Final = len(b"NATS/1.0\r\n")


class LiveClient(Client):
    """nats-py's client; `subscribe_live` and `publish_live` are the short ways."""

    def __init__(self, log: BoundLogger) -> None:
        super().__init__()
        self.handlers: dict[int, LiveHandler] = {}
        self.dropped = 0
        self._log = log
        self._unsent: list[bytes] = []
        self._ps = LiveParser(self)

    async def subscribe_live(self, subject: str, handler: LiveHandler) -> "LiveSubscription":
        """Every message of `subject` from now on, in order, again after a reconnect."""
        subscription = await self.subscribe(subject, cb=_never)
        self.handlers[subscription._id] = handler  # pyright: ignore[reportPrivateUsage]
        return LiveSubscription(self, subscription)

    def publish_live(self, head: bytes, payload: bytes) -> bool:
        """Sends now; False when the bus is lost or does not keep up. `head` is made by `live_head`."""
        if not self.is_connected:
            return False
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._write)
        self._unsent.append(b"%b%d\r\n%b\r\n" % (head, len(payload), payload))
        return True

    def hand_over(self, sid: int, subject: str, headers: dict[str, str] | None, payload: bytes) -> None:
        try:
            self.handlers[sid](subject, headers, payload)
        except Exception:  # noqa: BLE001 - the connection serves others, too
            self._log.exception("a handler of live messages failed")

    def _write(self) -> None:
        unsent, self._unsent = self._unsent, []
        writer = getattr(self._transport, "_io_writer", None)
        if writer is None or not self.is_connected:
            return
        if writer.transport.get_write_buffer_size() > MAX_UNWRITTEN_BYTES:
            self.dropped += len(unsent)
            return
        writer.write(b"".join(unsent))


class LiveSubscription:
    """What `subscribe_live` made."""

    def __init__(self, client: LiveClient, subscription: Any) -> None:
        self._client = client
        self._subscription = subscription

    async def unsubscribe(self) -> None:
        """Nothing is handed over any more, from now on."""
        self._client.handlers.pop(self._subscription._id, None)
        await self._subscription.unsubscribe()


class LiveParser(Parser):
    """Hands messages of live subscriptions over at once; everything else goes nats-py's own way."""

    def __init__(self, client: LiveClient) -> None:
        super().__init__(client)
        self._client = client
        self._rest = b""
        self._needs_bytes = 0
        self._connections = 0

    def reset(self) -> None:
        """A new connection begins."""
        super().reset()
        self._rest = b""
        self._needs_bytes = 0
        self._connections = getattr(self, "_connections", 0) + 1

    async def parse(self, data: bytes = b"") -> None:
        """Takes what came from the socket; an unfinished message waits for the rest."""
        data = self._rest + data if self._rest else data
        if len(data) < self._needs_bytes:
            self._rest = data
            return
        handlers = self._client.handlers
        at, length, connection = 0, len(data), self._connections
        self._rest, self._needs_bytes = b"", 0
        while at < length:
            line_end = data.find(_CRLF, at)
            if line_end < 0:
                break
            has_headers = data.startswith(b"HMSG ", at)
            if not has_headers and not data.startswith(b"MSG ", at):
                await super().parse(data[at : line_end + 2])
                at = line_end + 2
                continue
            words = data[at:line_end].split()
            body = line_end + 2
            end = body + int(words[-1])
            if end + 2 > length:
                self._needs_bytes = end + 2 - at
                break
            at = end + 2
            sid = int(words[2])
            split = body + int(words[-2]) if has_headers else body
            if sid in handlers:
                headers = read_headers(data[body:split]) if has_headers else None
                self._client.hand_over(sid, words[1].decode(), headers, data[split:end])
                continue
            reply = words[3] if len(words) == 5 + has_headers else b""
            await self._client._process_msg(
                sid, words[1], reply, data[split:end], data[body:split] if has_headers else b""
            )
        if connection == self._connections:
            self._rest = data[at:]


def live_head(subject: str) -> bytes:
    """What every publication of `subject` begins with."""
    return b"PUB %b " % subject.encode()


def read_headers(block: bytes) -> dict[str, str]:
    """NATS headers as a dictionary; of a key that comes twice the last counts, as in nats-py."""
    headers: dict[str, str] = {}
    for line in block[_STATUS_BYTES:].decode(errors="replace").split("\r\n"):
        key, colon, value = line.partition(":")
        if colon:
            headers[key] = value.strip()
    return headers


async def _never(_: Msg) -> None:
    """Live messages pass by the task nats-py made for them."""
