"""HTTP that connects only to addresses the guard has seen: a name is resolved once, checked, and that address used."""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final, cast

import httpcore
import httpx

from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard

_LONGEST_S: Final = 300.0
"""The API's upper limit; each request has its own, shorter deadline."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for the pool; a name that changes its address after the check gains nothing."""

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
        problem: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self._addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                problem = failed
        raise problem

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as unknown:
            raise httpcore.ConnectError(f"{host} does not resolve") from unknown
        addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
        for address in addresses:
            if not self._guard.allows(ip_address(address)):
                raise AddressRefused(f"{host} lies at {address}, which is not allowed")
        return addresses

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def guarded_client(guard: Guard, connections: int) -> httpx.AsyncClient:
    """Follows no redirect (its target would be unchecked) and reads no proxy settings."""
    transport = httpx.AsyncHTTPTransport(trust_env=False)
    transport._pool = httpcore.AsyncConnectionPool(  # pyright: ignore[reportPrivateUsage]  # no public way to give it a backend
        ssl_context=ssl.create_default_context(),
        max_connections=connections,
        max_keepalive_connections=min(connections, 32),
        keepalive_expiry=5.0,
        network_backend=GuardedBackend(guard),
    )
    return httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False, timeout=_LONGEST_S)
