"""One HTTP/1.1 connection to a server: a request goes out in one piece, its answer comes in as it arrives.

Failures are httpx's, told apart as httpx does. The parser is llhttp (httptools).
"""

import asyncio
import re
import select
from collections.abc import Mapping
from typing import Any, Final, cast

import httptools
import httpx

_GATHERED_BYTES: Final = 256 * 1024
"""So much of an answer waits here for its reader; then the server has to wait."""
_FRAMING_BYTES: Final = 128 * 1024
"""Longest head, and longest stretch of bytes within a body that are none of it."""
_FIELD: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+: (?:[^\x00\s\x7f]+(?:[ \t]+[^\x00\s\x7f]+)*)?")
_START: Final = re.compile(rb"[A-Z]+ [\x21-\x7e]+")
_FRAMES: Final = frozenset({b"content-length", b"transfer-encoding"})

Timeouts = Mapping[str, float | None]
"""httpx's `timeout` extension: seconds by `connect`, `read`, `write`, `pool`; None for ever."""


def written(request: httpx.Request, body: bytes) -> bytes:
    """A request as it is sent; how long it is says nobody but us. Raises httpx.LocalProtocolError."""
    start = request.method.encode("ascii", "replace") + b" " + request.url.raw_path
    if not _START.fullmatch(start) or request.method == "CONNECT":
        raise httpx.LocalProtocolError("the method or the address cannot be sent")
    lines, has_length = [start + b" HTTP/1.1"], bool(body)
    for name, value in request.headers.raw:
        if name.lower() in _FRAMES:
            has_length = True
            continue
        line = name + b": " + value
        if not _FIELD.fullmatch(line):
            raise httpx.LocalProtocolError("a header cannot be sent")
        lines.append(line)
    if has_length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join((*lines, b"", body))


class Connection(asyncio.Protocol):
    """One exchange at a time: `send`, `answered`, `read` until None; then `can_be_used_again` says whether there may
    be another."""

    def __init__(self, origin: tuple[str, str, int]) -> None:
        self.origin = origin
        self.idle_since_s = 0.0
        self.status = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._watched: select.poll | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._is_write_paused = False
        self._is_gone = False
        self._is_complete = True
        self._begin(is_head=False, closes=False)

    def _begin(self, *, is_head: bool, closes: bool) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
        self._is_head, self._closes = is_head, closes
        self._has_answered = self._is_framed = False
        self._parts: list[bytes] = []
        self._held_bytes = self._framing_bytes = 0

    def send(self, request: httpx.Request, body: bytes) -> None:
        """Raises httpx.LocalProtocolError before anything is sent."""
        assert self._transport is not None
        assert self._is_complete
        data = written(request, body)
        closes = "close" in request.headers.get("connection", "").lower()
        self._begin(is_head=request.method == "HEAD", closes=closes)
        self._is_complete = False
        self._transport.write(data)

    async def answered(self, timeouts: Timeouts) -> None:
        """Waits for the head of the answer: `status`, `reason`, `headers`. Raises httpx.TransportError."""
        while self._is_write_paused and not (self._has_answered or self._failure):
            await self._change(timeouts.get("write"), httpx.WriteTimeout)
        while not self._has_answered:
            if self._failure is not None:
                raise self._failure
            await self._change(timeouts.get("read"), httpx.ReadTimeout)

    async def read(self, timeouts: Timeouts) -> bytes | None:
        """All that has come of the body, None at its end. Raises httpx.TransportError."""
        while not self._parts:
            if self._is_complete:
                return None
            if self._failure is not None:
                raise self._failure
            await self._change(timeouts.get("read"), httpx.ReadTimeout)
        part = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if self._held_bytes > _GATHERED_BYTES and self._transport is not None:
            self._transport.resume_reading()
        self._parts, self._held_bytes = [], 0
        return part

    def can_be_used_again(self) -> bool:
        """The answer is complete and both sides want to go on."""
        if self._transport is None or self._closes or self._is_gone:
            return False
        return self._is_complete and not self._transport.get_write_buffer_size()

    def is_alive(self) -> bool:
        """Of an idle connection: its server neither hung up nor said anything, up to this moment."""
        if self._is_gone or self._transport is None:
            return False
        if self._watched is None:
            self._watched = select.poll()
            self._watched.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._watched.poll(0)

    def close(self) -> None:
        """At once; what was on its way is lost."""
        self._fail(httpx.ReadError("the connection was closed"))

    async def _change(self, timeout_s: float | None, late: type[httpx.TimeoutException]) -> None:
        self._waiter = waiter = self._loop.create_future()
        timer = None if timeout_s is None else self._loop.call_later(timeout_s, _expire, waiter, late)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _changed(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: Exception) -> None:
        self._is_gone = True
        if not self._is_complete and self._failure is None:
            self._failure = failure
            self._changed()
        if self._transport is not None:
            self._transport.abort()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_gone = True
        if self._is_complete or self._failure is not None:
            return
        if exc is not None:
            self._fail(httpx.ReadError(str(exc)))
        elif not self._has_answered:
            self._fail(httpx.RemoteProtocolError("the server hung up without an answer"))
        elif self._is_framed:
            self._fail(httpx.RemoteProtocolError("the server hung up in the middle of its answer"))
        else:
            self.on_message_complete()

    def data_received(self, data: bytes) -> None:
        if self._is_complete:
            self.close()  # nobody asked
            return
        held_bytes = self._held_bytes
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as wrong:
            self._fail(httpx.RemoteProtocolError(f"the server's answer is no HTTP: {type(wrong).__name__}"))
            return
        if self._held_bytes > held_bytes:
            self._framing_bytes = 0
            if self._held_bytes > _GATHERED_BYTES >= held_bytes and self._transport is not None:
                self._transport.pause_reading()
        elif not self._is_complete:
            self._framing_bytes += len(data)
            if self._framing_bytes > _FRAMING_BYTES:
                self._fail(httpx.RemoteProtocolError("the head of the server's answer is too long"))

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._changed()

    # the parser's side

    def on_message_begin(self) -> None:
        if self._is_complete:
            self._closes = True  # a second answer to one request
        if not self._has_answered:
            self.headers, self.reason = [], b""

    def on_status(self, reason: bytes) -> None:
        if not self._has_answered:
            self.reason = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._has_answered:
            return
        self.headers.append((name, value.rstrip(b" \t")))
        lower = name.lower()
        self._is_framed |= lower == b"content-length" or (
            lower == b"transfer-encoding" and value.lower().rstrip().endswith(b"chunked")
        )

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._has_answered or 100 <= status < 200:
            return
        self.status, self._has_answered = status, True
        self._closes |= self._is_head or not self._parser.should_keep_alive()
        self._is_complete |= self._is_head
        self._changed()

    def on_body(self, part: bytes) -> None:
        if not self._is_complete:
            self._parts.append(part)
            self._held_bytes += len(part)
            self._changed()

    def on_message_complete(self) -> None:
        if self._has_answered:
            self._is_complete = True
            self._changed()


def _expire(waiter: asyncio.Future[Any], late: type[httpx.TimeoutException]) -> None:
    if not waiter.done():
        waiter.set_exception(late("nothing came in time"))
