"""The only place where services get their HTTP clients: one for addresses customers give, one for the operator's own.

A connection is opened to an address the guard has seen: the name is resolved once, judged, and that address used, while
`Host` and the certificate's name stay the customer's. A name that changes between check and use gains nothing.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any, Final, cast
from urllib.request import getproxies

import httpx

from voxbus_runtime.guard import Guard, ask_the_system
from voxbus_runtime.outbound_pool import KEPT, KEPT_S, Pool

LONGEST_S: Final = 300.0
"""No answer takes longer, however it drips: the API's upper limit. Each request has its own, shorter deadline."""
LONGEST_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""What senders' own limits stay below; nothing is ever read beyond."""
_CONNECT_S: Final = 10.0
_VENDOR_CONNECTIONS: Final = 100


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
        self._own = [(name.decode("ascii"), value.decode("ascii")) for name, value in self.headers.raw]

    def build_request(self, method: str, url: httpx.URL | str, **how: Any) -> httpx.Request:
        """As httpx does, by the short way where there are only headers and bytes: what this client never has (a base
        address, parameters, cookies) is not merged."""
        content, headers = how.get("content"), how.get("headers") or {}
        is_plain = how.keys() <= {"content", "headers", "timeout"} and isinstance(headers, dict)
        if not (is_plain and isinstance(content, bytes) and content):
            return super().build_request(method, url, **how)
        url, given = _parsed(url), {name.lower() for name in headers}
        auto = [("Host", url.netloc.decode("ascii")), *self._own, ("Content-Length", str(len(content)))]
        fields = [each for each in auto if each[0].lower() not in given]
        timeout = how.get("timeout", httpx.USE_CLIENT_DEFAULT)
        limits = self.timeout if timeout is httpx.USE_CLIENT_DEFAULT else httpx.Timeout(timeout)
        return httpx.Request(
            method,
            url,
            headers=[*fields, *cast(dict[str, str], headers).items()],
            stream=httpx.ByteStream(content),
            extensions={"timeout": limits.as_dict()},
        )

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


@lru_cache(maxsize=512)
def _parsed(url: httpx.URL | str) -> httpx.URL:
    """Raises httpx.InvalidURL. Taking an address apart takes half as long as all the rest of a request."""
    return httpx.URL(url)


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
    return _CustomerClient(GuardedTransport(guard, inner or Pool(guard.addresses, connections, tls or tls_context())))


def operator_client(tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """For addresses only the operator sets (vendors): not guarded, proxies as in the environment."""
    tls = tls or tls_context()
    if getproxies().keys() & {"http", "https", "all"}:
        limits = httpx.Limits(
            max_connections=_VENDOR_CONNECTIONS, max_keepalive_connections=KEPT, keepalive_expiry=KEPT_S
        )
        return httpx.AsyncClient(verify=tls, limits=limits)
    return httpx.AsyncClient(transport=Pool(ask_the_system, _VENDOR_CONNECTIONS, tls))
