"""The one guard: every address a customer gives is judged here before anything connects to it. See docs/outbound.md."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from voxbus_runtime.errors import AddressRefused

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) → every address the name has, as text. Raises OSError."""

SCHEMES: Final = frozenset({"http", "https"})
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")
_RESOLVED_WITHIN_S: Final = 5.0

_NEVER_PUBLIC: Final = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carriers' and clouds' inner networks, some metadata services among them
        "168.63.129.16/32",  # a cloud's inner service under a public number
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
        "::/96",
        "::ffff:0:0:0/96",
    )
)
"""Not public, or ways round to somewhere else (6to4, Teredo, translated and compatible IPv4), whatever the running
Python's tables say (IANA special-purpose registries, November 2026)."""

_NAT64: Final = IPv6Network("64:ff9b::/96")


async def ask_the_system(host: str, port: int) -> list[str]:
    """Every address of a name, in the system's order. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets requests reach public addresses, and the private networks the installation allows."""

    allowed: tuple[IPv4Network | IPv6Network, ...] = ()
    resolve: Resolve = ask_the_system

    @classmethod
    def parse(cls, networks: str) -> "Guard":
        """`127.0.0.0/8,::1/128` → guard; raises ValueError naming the setting."""
        try:
            return cls(tuple(ip_network(part.strip()) for part in networks.split(",") if part.strip()))
        except ValueError as wrong:
            raise ValueError(f"VOXBUS_GUARD_ALLOW: {wrong}") from None

    def check_spelling(self, scheme: str, host: str) -> None:
        """What can be judged without asking anybody: scheme, host, an address in digits. Raises AddressRefused."""
        if scheme not in SCHEMES:
            raise AddressRefused(f"scheme {scheme or 'none'!r} is not allowed: use http or https")
        try:
            self._must_allow(host, ip_address(host))
        except ValueError:
            if not _NAME.fullmatch(host):
                raise AddressRefused(f"{host!r} is no host") from None

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where a host lies. Whoever connects has to use these and ask no second time.

        All of them must be allowed: a name with one forbidden address among public ones is refused whole. Raises
        AddressRefused, or OSError when the host is not known.
        """
        with suppress(ValueError):
            address = ip_address(host)
            self._must_allow(host, address)
            return [str(address)]
        try:
            async with asyncio.timeout(_RESOLVED_WITHIN_S):
                found = await self.resolve(host, port)
        except UnicodeError:
            raise OSError(f"{host!r} is no host name") from None
        for text in found:
            self._must_allow(host, ip_address(text))
        return found

    def allows(self, address: Address) -> bool:
        """An IPv4 address within an IPv6 one counts as itself; through NAT64 both it and the way must be allowed."""
        if isinstance(address, IPv4Address):
            return self._is_listed(address) or _is_public(address)
        if address.ipv4_mapped:
            return self.allows(address.ipv4_mapped)
        if address in _NAT64:
            return self._is_listed(address) and self.allows(IPv4Address(int(address) & 0xFFFFFFFF))
        return self._is_listed(address) or _is_public(address)

    def _is_listed(self, address: Address) -> bool:
        plain = address if isinstance(address, IPv4Address) else IPv6Address(int(address))  # without a zone
        return any(plain in network for network in self.allowed if network.version == plain.version)

    def _must_allow(self, host: str, address: Address) -> None:
        if not self.allows(address):
            raise AddressRefused(
                f"{host} lies at {address}, which is not public; VOXBUS_GUARD_ALLOW can allow its network"
            )


def _is_public(address: Address) -> bool:
    plain = address if isinstance(address, IPv4Address) else IPv6Address(int(address))
    listed = any(plain in network for network in _NEVER_PUBLIC if network.version == plain.version)
    zoned = isinstance(address, IPv6Address) and address.scope_id is not None
    return plain.is_global and not plain.is_multicast and not plain.is_reserved and not listed and not zoned
