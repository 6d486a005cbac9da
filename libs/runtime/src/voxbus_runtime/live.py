"""The live side of a NATS connection: frames and events handed over and written without a task in between.

nats-py gives every message to a queue and wakes a task for it, and wakes another one for every message it sends. At
fifty frames a second and call that is most of what a service does. Here the socket's protocol calls the handler
itself, and what is sent in one turn of the loop is one write. Everything else stays nats-py's: connecting,
authentication, TLS, reconnecting, resubscribing, requests, JetStream.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import BadHeaderError, MaxPayloadError
from structlog.stdlib import BoundLogger

from voxbus_runtime.gathering import Gathering
from voxbus_runtime.metrics import LIVE_DROPPED

LiveHandler = Callable[[str, dict[str, str] | None, bytes], None]
"""Subject, headers (None = none), payload. Must not block; what it raises is logged and left."""

MAX_UNWRITTEN_BYTES: Final = 8 * 1024 * 1024
"""While a connection holds so much that the server has not taken, nothing live is sent: it would come too late."""

_MUCH_BYTES: Final = 64 * 1024
"""More than this read at once: more waits behind it, whoever listens only every so often reads on."""
_CRLF: Final = b"\r\n"
_VERSION_LINE: Final = b"NATS/1.0\r\n"


class LiveClient(Client):
    """nats-py's client; `subscribe_live` and `publish_live` are the short ways."""

    def __init__(self, log: BoundLogger, gather_ms: float = 0.0, listen_every_ms: float = 0.0) -> None:
        super().__init__()
        self._gathering = Gathering(gather_ms)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.listen_every_s = listen_every_ms / 1_000
        self._written_at_s = 0.0
        self._writes_now = False
        self._writes_later: asyncio.TimerHandle | None = None
        self._handlers: dict[bytes, LiveHandler] = {}
        self._log = log
        self._unsent: list[bytes] = []

    @property
    def subscription_count(self) -> int:
        """Of both kinds, as the server has them."""
        return len(self._subs)

    async def subscribe_live(self, subject: str, handler: LiveHandler) -> "LiveSubscription":
        """Every message of `subject` from now on, in order, again after a reconnect."""
        subscription = await self.subscribe(subject, cb=_never)
        self._handlers[_sid(subscription)] = handler
        self._write_commands()
        return LiveSubscription(self, subscription)

    def forget(self, subscription: Subscription) -> None:
        self._handlers.pop(_sid(subscription), None)

    def publish_live(self, head: bytes, payload: bytes) -> bool:
        """Sends now, or with what comes within the gathering time; False when the bus is lost.

        That time grows with how much is sent: a message by itself costs everybody a waking.

        `head` is made by `live_head`.
        """
        if not self.is_connected:
            return False
        self._unsent.append(b"%b%d\r\n%b\r\n" % (head, len(payload), payload))
        if self._writes_now or self._writes_later is not None:
            return True
        loop = self._running_loop()
        wait_s = self._written_at_s + self._gathering.wait_s - loop.time()
        if wait_s > 0:
            self._writes_later = loop.call_later(wait_s, self._write)
        else:
            self._write_now()
        return True

    def publish_event(self, subject: str, reply: str, headers: Mapping[str, str], payload: bytes) -> bool:
        """Sends a message with headers now; False when the bus is lost.

        Raises MaxPayloadError for more than the server takes, BadHeaderError for a header with a line break.
        """
        lines = "".join([f"{key}: {value}\r\n" for key, value in headers.items()]).encode()
        if lines.count(b"\n") != len(headers):
            raise BadHeaderError(subject)
        if len(payload) > self.max_payload:
            raise MaxPayloadError
        size = len(_VERSION_LINE) + len(lines) + 2
        words = f"HPUB {subject} {reply} {size} {size + len(payload)}\r\n".encode()
        if not self.is_connected:
            return False
        self._unsent.append(b"%b%b%b\r\n%b\r\n" % (words, _VERSION_LINE, lines, payload))
        self._write_now()
        return True

    def hand_over(self, sid: bytes, subject: bytes, headers: bytes | None, payload: bytes) -> bool:
        """False when `sid` is no live subscription."""
        handler = self._handlers.get(sid)
        if handler is None:
            return False
        try:
            handler(subject.decode(), read_headers(headers) if headers else None, payload)
        except Exception:  # noqa: BLE001 - the connection serves others, too
            self._log.exception("a handler of live messages failed")
        return True

    def _write_now(self) -> None:
        """At the end of this turn of the loop."""
        if not self._writes_now:
            self._writes_now = True
            self._running_loop().call_soon(self._write)

    def _write(self) -> None:
        """Between the loss of the connection and nats-py's noticing it nothing is sent, as after it."""
        unsent, self._unsent = self._unsent, []
        self._writes_now = False
        if self._writes_later is not None:
            self._writes_later.cancel()
            self._writes_later = None
        self._written_at_s = self._running_loop().time()
        self._gathering.wrote(len(unsent), self._written_at_s)
        transport = self._socket()
        if transport is None or not self.is_connected or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNWRITTEN_BYTES:
            LIVE_DROPPED.inc(len(unsent))
            return
        self._write_commands()
        transport.write(b"".join(unsent))

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """asyncio's own way asks the kernel each time, which is a fifth of a microsecond."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _write_commands(self) -> None:
        """What nats-py has queued goes before what is written past its queue.

        Its own task writes the queue later, so that a SUB would come after a PING whose answer says that the server
        has it, or after the claim from which on nothing may be missed.
        """
        transport = self._socket()
        if self._pending and self.is_connected and transport is not None and not transport.is_closing():
            commands, self._pending, self._pending_data_size = self._pending, [], 0
            transport.write(b"".join(commands))

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        self._write_commands()
        await super()._send_ping(future)

    async def _attempt_reconnect(self) -> None:
        """What a server that is lost has not taken it will not take: nats-py would wait for that before it goes on to
        the next, which a server that is cut off or frozen makes last until it is back."""
        transport = self._socket()
        if transport is not None:
            transport.abort()
        await super()._attempt_reconnect()

    def _socket(self) -> Any:
        writer = getattr(self._transport, "_io_writer", None)
        return None if writer is None else writer.transport

    async def _process_connect_init(self) -> None:
        """The connection is made, also again: from here on live messages are taken out of what comes."""
        await super()._process_connect_init()
        transport, reader = self._socket(), getattr(self._transport, "_io_reader", None)
        if transport is not None and reader is not None:
            splitter = LiveProtocol(self, transport.get_protocol(), transport)
            transport.set_protocol(splitter)
            early = bytes(reader._buffer)
            reader._buffer.clear()
            splitter.data_received(early)


class LiveSubscription:
    """What `subscribe_live` made."""

    def __init__(self, client: LiveClient, subscription: Subscription) -> None:
        self._client = client
        self._subscription = subscription

    async def unsubscribe(self) -> None:
        """Nothing is handed over any more, from now on."""
        self._client.forget(self._subscription)
        await self._subscription.unsubscribe()


class LiveProtocol(asyncio.Protocol):
    """Hands live messages over as their bytes come; everything else goes on to nats-py's reader, whole lines at a time.

    It stands before the protocol that nats-py's connection was made with. A client that listens only every so often
    leaves what comes meanwhile in the socket: a process that is woken for each frame pays for waking, not for frames.
    """

    def __init__(self, client: LiveClient, inner: asyncio.Protocol, transport: Any) -> None:
        self._client = client
        self._inner = inner
        self._transport = transport
        self._rest = b""
        self._needs_bytes = 0

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        length = len(data)
        if length < self._needs_bytes:
            self._rest = data
            return
        at, others_from, self._needs_bytes = 0, 0, 0
        hand_over = self._client.hand_over
        while at < length:
            line_end = data.find(_CRLF, at)
            if line_end < 0:
                break
            has_headers = data.startswith(b"HMSG ", at)
            if not has_headers and not data.startswith(b"MSG ", at):
                at = line_end + 2
                continue
            words = data[at:line_end].split()
            body = line_end + 2
            end = body + int(words[-1])
            if end + 2 > length:
                self._needs_bytes = end + 2 - at
                break
            split = body + int(words[-2]) if has_headers else body
            if hand_over(words[2], words[1], data[body:split] if has_headers else None, data[split:end]):
                if others_from < at:
                    self._inner.data_received(data[others_from:at])
                others_from = end + 2
            at = end + 2
        if others_from < at:
            self._inner.data_received(data[others_from:at])
        elif at and self._client.listen_every_s and length < _MUCH_BYTES:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(self._client.listen_every_s, self._listen_again)
        self._rest = data[at:]

    def _listen_again(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def live_head(subject: str) -> bytes:
    """What every publication of `subject` begins with."""
    return b"PUB %b " % subject.encode()


def read_headers(block: bytes) -> dict[str, str]:
    """NATS headers as a dictionary; of a key that comes twice the last counts, as in nats-py.

    `Status` and `Description` are what the server adds to its version, as in `NATS/1.0 204 EOB`.
    """
    headers: dict[str, str] = {}
    version, _, lines = block.partition(_CRLF)
    if told := version.decode(errors="replace").partition(" ")[2]:
        headers["Status"], _, headers["Description"] = told.partition(" ")
    for line in lines.decode(errors="replace").split("\r\n"):
        key, colon, value = line.partition(":")
        if colon:
            headers[key] = value.strip()
    return headers


def _sid(subscription: Subscription) -> bytes:
    return b"%d" % subscription._id  # pyright: ignore[reportPrivateUsage]


async def _never(_: Msg) -> None:
    """Live messages pass by the task nats-py made for them."""
