"""Posts one message to a customer's server, within its limits and through the guard."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from voxbus_contracts.config import MessageServer
from voxbus_contracts.delivery import Delivery
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.server_access import UNREACHABLE, UNUSABLE, CredentialMissing, ServerAccess, TokenRefused
from voxbus_runtime.signing import Signed
from voxbus_tool_runner.deliveries.lane import Outcome

_READ_AT_MOST_BYTES: Final = 65_536
_READ_WITHIN_S: Final = 1.0
"""The answer says nothing beside its status; a short one is read so that the connection can be used again."""
_PER_HOST: Final = 256
"""Requests to one host at a time: a dead one must not hold all connections there are."""


class Poster:
    """Never raises; what went wrong is in the outcome. The client has to be one for customers' addresses."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        cluster_key: SecretStr | None,
        *,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._client = client
        self._access = ServerAccess(client, cluster_key)
        self._now_ms = now_ms
        self._hosts: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_PER_HOST))

    async def post(self, to: MessageServer, delivery: Delivery) -> Outcome:
        """One try. The host's turn is waited for first; then the server's own limit counts."""
        url = to.server.url
        if not url:
            return Outcome(code="server-missing", is_final=True)
        try:
            host = urlsplit(url).netloc
            async with self._hosts[host], asyncio.timeout(to.server.timeout_seconds):
                status = await self._send(url, await self._headers(to, delivery, url), delivery.body)
                if self._access.renews(to.authentication, status):
                    status = await self._send(url, await self._headers(to, delivery, url), delivery.body)
        except AddressRefused:
            return Outcome(code="server-refused", is_final=True)
        except CredentialMissing as missing:
            return Outcome(code=missing.code, is_final=True)
        except UNUSABLE:
            return Outcome(code="server-secret-unusable", is_final=True)
        except TokenRefused as refused:
            return Outcome(code=refused.code)
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(code="server-too-slow")
        except UNREACHABLE:
            return Outcome(code="server-unreachable")
        return Outcome(status) if 200 <= status < 300 else Outcome(status, "server-bad-status")

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            with suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(_READ_WITHIN_S):
                    await _read_a_little(response)
            return response.status_code

    async def _headers(self, to: MessageServer, delivery: Delivery, url: str) -> dict[str, str]:
        """The customer's own headers, and over them those that say who sends and what. Raises as ServerAccess."""
        fixed = {
            "content-type": "application/json",
            "user-agent": "voxbus-tool-runner",
            "x-call-id": delivery.ref.call,
            "idempotency-key": delivery.id,
        }
        signed = Signed(url, delivery.body, delivery.id, self._now_ms())
        return await self._access.headers(to.server, to.authentication, signed) | fixed


async def _read_a_little(response: httpx.Response) -> None:
    seen = 0
    async for chunk in response.aiter_bytes():
        seen += len(chunk)
        if seen > _READ_AT_MOST_BYTES:
            return
