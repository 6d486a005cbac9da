"""HTTP to addresses that customers give: every request passes the guard first."""

import ssl

import httpx

from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard


class GuardedTransport(httpx.AsyncBaseTransport):
    """Refuses what the guard refuses, as a connection error that says why."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext) -> None:
        self._guard = guard
        self._inner = httpx.AsyncHTTPTransport(verify=tls)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            await self._guard.check(str(request.url))
        except AddressRefused as refused:
            raise httpx.ConnectError(str(refused), request=request) from None
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
