"""The only place where services get their HTTP clients: one for addresses customers give, one for the operator's own.

A connection is opened to an address the guard has seen: the name is resolved once, judged, and that address used, while
`Host` and the certificate's name stay the customer's. A name that changes between check and use gains nothing.
"""

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, Final, cast

import httpcore
import httpx

from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard

LONGEST_S: Final = 300.0
"""No answer takes longer, however it drips: the API's upper limit. Each request has its own, shorter deadline."""
LONGEST_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""What senders' own limits stay below; nothing is ever read beyond."""
_CONNECT_S: Final = 10.0
_KEPT_S: Final = 60.0
"""How long a connection waits for the next request: turns of a call are further apart than a client's usual 5 s, and
each new connection to a vendor costs two or three round trips."""
_TRIED_AT_MOST: Final = 4
_GATHERED_BYTES: Final = 64 * 1024
"""So much of a request is sent in one piece."""


class _Together(httpcore.AsyncNetworkStream):
    """What is written goes out before the next read: a request's head and body in one piece, so that its server is
    woken once and not twice."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._unsent = b""
        self._is_closed = False
        self._watched: select.poll | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            with suppress(httpcore.WriteError):  # a server that hung up may have answered before
                await self._send(timeout)
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._unsent += buffer
        if len(self._unsent) > _GATHERED_BYTES:
            await self._send(timeout)

    async def _send(self, timeout: float | None) -> None:
        unsent, self._unsent = self._unsent, b""
        await self._inner.write(unsent, timeout)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Together(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._is_readable() if info == "is_readable" else self._inner.get_extra_info(info)

    def _is_readable(self) -> bool:
        """Whether the server hung up, of an idle connection: the pool asks it of all of them, twice per request."""
        if self._is_closed:
            return True
        if self._watched is None:
            line = self._inner.get_extra_info("socket")
            self._watched = select.poll()
            self._watched.register(line.fileno(), select.POLLIN)
        return bool(self._watched.poll(0))

    async def aclose(self) -> None:
        self._is_closed = True
        await self._inner.aclose()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for the pool."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = cast(httpcore.AsyncNetworkBackend, httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises AddressRefused when any address of the host is not allowed."""
        try:
            addresses = await self._guard.addresses(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"{host} does not resolve in time") from None
        except OSError:
            raise httpcore.ConnectError(f"{host} does not resolve") from None
        problem: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses[:_TRIED_AT_MOST]:
            try:
                stream = await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
                return _Together(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                problem = failed
        raise problem

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefused("sockets of this machine are not for customers")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Connections(httpx.AsyncHTTPTransport):
    """httpx over the guarded backend, which httpx has no parameter for."""

    def __init__(self, guard: Guard, connections: int, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=min(connections, 32),
            keepalive_expiry=_KEPT_S,
            network_backend=_GuardedBackend(guard),
        )


class GuardedTransport(httpx.AsyncBaseTransport):
    """Judges every request, those after a redirect too, and lets no answer be longer or slower than the limits."""

    def __init__(self, guard: Guard, inner: httpx.AsyncBaseTransport) -> None:
        self._guard = guard
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises AddressRefused. The answer is not unpacked: none was asked for packed, and packing hides its size."""
        self._guard.check_spelling(request.url.scheme, request.url.raw_host.decode("ascii"))
        response = await self._inner.handle_async_request(request)
        response.headers.pop("content-encoding", None)
        response.stream = _Limited(cast(httpx.AsyncByteStream, response.stream))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Limited(httpx.AsyncByteStream):
    """An answer's bytes up to the limits; then httpx.ReadError or httpx.ReadTimeout."""

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        until_s, seen_bytes = loop.time() + LONGEST_S, 0
        async for part in self._inner:
            seen_bytes += len(part)
            if seen_bytes > LONGEST_ANSWER_BYTES:
                raise httpx.ReadError(f"more than {LONGEST_ANSWER_BYTES} bytes")
            if loop.time() > until_s:
                raise httpx.ReadTimeout(f"not complete after {LONGEST_S:g} s")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


class _CustomerClient(httpx.AsyncClient):
    """What is streamed goes straight to the transport: no cookie of one customer's is kept for the next, and rounds of
    authentication and redirects, of which there are none, cost nothing."""

    def __init__(self, transport: GuardedTransport) -> None:
        super().__init__(
            transport=transport,
            headers={"accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(LONGEST_S, connect=_CONNECT_S),
        )
        self._straight = transport

    async def send(self, request: httpx.Request, *, stream: bool = False, **how: Any) -> httpx.Response:
        """As httpx does, by the short way where nothing but the request itself was asked for."""
        is_plain = all(each is httpx.USE_CLIENT_DEFAULT for each in how.values()) and not request.url.userinfo
        if not (stream and is_plain) or self.is_closed:
            return await super().send(request, stream=stream, **how)
        try:
            response = await self._straight.handle_async_request(request)
        except httpx.RequestError as failed:
            failed.request = request
            raise
        response.request = request
        return response


def tls_context() -> ssl.SSLContext:
    """Reads all certificates (SSL_CERT_FILE's, if set), 40 ms: once per process, before the first call."""
    return httpx.create_ssl_context()


def customer_client(
    guard: Guard,
    connections: int = 100,
    *,
    tls: ssl.SSLContext | None = None,
    inner: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """For every address a customer gives. Follows no redirect, reads no proxy settings and unpacks nothing.

    Raises AddressRefused from requests, beside httpx's own errors. `inner` stands in for the network in tests.
    """
    return _CustomerClient(GuardedTransport(guard, inner or _Connections(guard, connections, tls or tls_context())))


def operator_client(tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """For addresses only the operator sets (vendors): not guarded, proxies as in the environment."""
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=32, keepalive_expiry=_KEPT_S)
    return httpx.AsyncClient(verify=tls or tls_context(), limits=limits)
