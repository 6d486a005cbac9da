"""The one guard: every address a customer gives is checked here before anything connects to it."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from voxbus_runtime.errors import AddressRefused

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets requests reach public addresses, and the private networks the installation allows."""

    allowed: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, networks: str) -> "Guard":
        """`127.0.0.0/8,::1/128` → guard; raises ValueError naming the setting."""
        try:
            return cls(tuple(ip_network(part.strip()) for part in networks.split(",") if part.strip()))
        except ValueError as wrong:
            raise ValueError(f"VOXBUS_GUARD_ALLOW: {wrong}") from None

    async def check(self, url: str) -> None:
        """Raises AddressRefused unless scheme and every address the host resolves to are allowed."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss"):
            raise AddressRefused(f"scheme {parts.scheme or 'none'!r} is not allowed: use http, https, ws or wss")
        if not parts.hostname:
            raise AddressRefused("the address names no host")
        try:
            found = await _addresses(parts.hostname, parts.port or (443 if parts.scheme in ("https", "wss") else 80))
        except (OSError, ValueError) as problem:
            raise AddressRefused(f"host {parts.hostname} does not resolve: {problem}") from None
        for address in found:
            if not self.allows(address):
                raise AddressRefused(
                    f"{parts.hostname} lies at {address}, which is not public; VOXBUS_GUARD_ALLOW can allow its network"
                )

    def allows(self, address: Address) -> bool:
        plain: Address = address
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            plain = address.ipv4_mapped
        return (plain.is_global and not plain.is_multicast) or any(
            plain in network for network in self.allowed if network.version == plain.version
        )


async def _addresses(host: str, port: int) -> list[Address]:
    """All a name resolves to; an address is asked of nobody, which spares a request a thread. Raises OSError."""
    with suppress(ValueError):
        return [ip_address(host)]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
