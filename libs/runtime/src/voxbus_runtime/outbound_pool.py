"""httpx's transport over connections of our own: they go where they are told to, are kept and used again."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import httpx

from voxbus_runtime.outbound_connection import Connection, Timeouts

Addresses = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) → where to connect to. Raises OSError, TimeoutError, or what the caller of the request is to get."""

KEPT: Final = 32
KEPT_S: Final = 60.0
"""How long a connection waits for the next request: turns of a call are further apart than a client's usual 5 s, and
each new connection to a vendor costs two or three round trips."""
_TRIED_AT_MOST: Final = 4
_PORTS: Final = {"http": 80, "https": 443}


class Pool(httpx.AsyncBaseTransport):
    """Up to `connections` at a time; whoever comes then waits. No request is ever sent twice."""

    def __init__(self, addresses: Addresses, connections: int, tls: ssl.SSLContext) -> None:
        self._addresses = addresses
        self._most = connections
        self._tls = tls
        tls.set_alpn_protocols(["http/1.1"])
        self._places = asyncio.Semaphore(connections)
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        """The longest idle first."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.TransportError, and what `addresses` raises. A body is gathered before it is sent."""
        body = await request.aread()
        timeouts: Timeouts = request.extensions.get("timeout", {})
        await self._place(timeouts.get("pool"))
        try:
            connection = self._used_again(request.url) or await self._connected(request.url, timeouts.get("connect"))
        except BaseException:
            self._places.release()
            raise
        answer = _Answer(self, connection, timeouts)
        try:
            connection.send(request, body)
            await connection.answered(timeouts)
        except BaseException:
            await answer.aclose()
            raise
        extensions = {"http_version": b"HTTP/1.1", "reason_phrase": connection.reason}
        return httpx.Response(connection.status, headers=connection.headers, stream=answer, extensions=extensions)

    async def aclose(self) -> None:
        """Also aborts what is under way."""
        for connection in tuple(self._open):
            connection.close()
        self._open.clear()
        self._idle.clear()

    def give_back(self, connection: Connection) -> None:
        """After each exchange, whatever became of it."""
        self._places.release()
        if connection in self._open and connection.can_be_used_again() and len(self._idle) < KEPT:
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            self._close(connection)

    async def _place(self, timeout_s: float | None) -> None:
        if timeout_s is None or not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection became free in time") from None

    def _used_again(self, url: httpx.URL) -> Connection | None:
        """The last one used of those to the same server that are still there."""
        origin, long_ago_s = _origin(url), asyncio.get_running_loop().time() - KEPT_S
        while self._idle and self._idle[0].idle_since_s < long_ago_s:
            self._close(self._idle.pop(0))
        for at in range(len(self._idle) - 1, -1, -1):
            if self._idle[at].origin == origin:
                connection = self._idle.pop(at)
                if connection.is_alive():
                    return connection
                self._close(connection)
        if self._idle and len(self._open) >= self._most:
            self._close(self._idle.pop(0))
        return None

    async def _connected(self, url: httpx.URL, timeout_s: float | None) -> Connection:
        origin = scheme, host, port = _origin(url)
        if scheme not in _PORTS:
            raise httpx.UnsupportedProtocol(f"{scheme or 'no scheme'} is neither http nor https")
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await self._addresses(host, port)
        except TimeoutError:
            raise httpx.ConnectTimeout(f"{host} does not resolve in time") from None
        except (OSError, UnicodeError):
            raise httpx.ConnectError(f"{host} does not resolve") from None
        problem: httpx.TransportError = httpx.ConnectError(f"{host} has no address")
        tls, name = (self._tls, host) if scheme == "https" else (None, None)
        loop = asyncio.get_running_loop()
        for address in addresses[:_TRIED_AT_MOST]:
            try:
                async with asyncio.timeout(timeout_s):
                    _, connection = await loop.create_connection(
                        lambda: Connection(origin), address, port, ssl=tls, server_hostname=name
                    )
            except TimeoutError:
                problem = httpx.ConnectTimeout(f"{host} does not answer in time")
            except OSError as failed:
                problem = httpx.ConnectError(str(failed))
                if isinstance(failed, ssl.SSLError):
                    break
            else:
                self._open.add(connection)
                return connection
        raise problem

    def _close(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.close()


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    port = _PORTS.get(url.scheme, 0) if url.port is None else url.port
    return url.scheme, url.raw_host.decode("ascii"), port


class _Answer(httpx.AsyncByteStream):
    """The body of an answer. Closed before its end, or failed, its connection is closed at once."""

    def __init__(self, pool: Pool, connection: Connection, timeouts: Timeouts) -> None:
        self._pool = pool
        self._connection = connection
        self._timeouts = timeouts
        self._is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._is_closed:
            raise StopAsyncIteration
        try:
            part = await self._connection.read(self._timeouts)
        except BaseException:
            await self.aclose()
            raise
        if part is None:
            raise StopAsyncIteration
        return part

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._pool.give_back(self._connection)
