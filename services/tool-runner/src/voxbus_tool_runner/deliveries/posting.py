"""Posts one message to a customer's server, within its limits and through the guard."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from voxbus_contracts.api_model import Server
from voxbus_contracts.config import MessageServer
from voxbus_contracts.delivery import Delivery
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import AddressRefused, BadSeal
from voxbus_runtime.sealing import open_config, open_seal
from voxbus_tool_runner.deliveries.lane import Outcome
from voxbus_tool_runner.deliveries.signing import CannotSign, Signed, bearer_header, hmac_headers, secret_header

_READ_AT_MOST_BYTES: Final = 65_536
_READ_WITHIN_S: Final = 1.0
"""The answer says nothing beside its status; a short one is read so that the connection can be used again."""
_PER_HOST: Final = 256
"""Requests to one host at a time: a dead one must not hold all connections there are."""
_TOKEN_S: Final = 300.0
_TOKEN_MARGIN_S: Final = 30.0


class TokenRefused(Exception):
    """The authorization server gave no token. retryable: it may be away."""

    code = "server-token-refused"
    retryable = True


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until_s: float


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
        self._cluster_key = cluster_key
        self._now_ms = now_ms
        self._hosts: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_PER_HOST))
        self._tokens: dict[tuple[str, str], _Token] = {}

    async def post(self, to: MessageServer, delivery: Delivery) -> Outcome:
        """One try. The host's turn is waited for first; then the server's own limit counts."""
        url = to.server.url
        if not url:
            return Outcome(code="server-missing", is_final=True)
        if to.server.credential_id and to.authentication is None:
            return Outcome(code="server-credential-missing", is_final=True)
        try:
            host = urlsplit(url).netloc
            async with self._hosts[host], asyncio.timeout(to.server.timeout_seconds):
                status = await self._send(url, await self._headers(to, delivery, url), delivery.body)
        except AddressRefused:
            return Outcome(code="server-refused", is_final=True)
        except (BadSeal, CannotSign):
            return Outcome(code="server-secret-unusable", is_final=True)
        except TokenRefused as refused:
            return Outcome(code=refused.code)
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(code="server-too-slow")
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError, ValueError):
            return Outcome(code="server-unreachable")
        return Outcome(status) if 200 <= status < 300 else Outcome(status, "server-bad-status")

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            with suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(_READ_WITHIN_S):
                    await _read_a_little(response)
            return response.status_code

    async def _headers(self, to: MessageServer, delivery: Delivery, url: str) -> dict[str, str]:
        """The customer's own headers, and over them those that say who sends and what. Raises BadSeal, CannotSign."""
        server: Server = to.server
        own = {name.lower(): open_seal(value, self._cluster_key) for name, value in server.headers.items()}
        fixed = {
            "content-type": "application/json",
            "user-agent": "voxbus-tool-runner",
            "x-call-id": delivery.ref.call,
            "idempotency-key": delivery.id,
            **secret_header(open_seal(server.secret or "", self._cluster_key)),
        }
        return own | fixed | await self._authentication(to, delivery, url)

    async def _authentication(self, to: MessageServer, delivery: Delivery, url: str) -> dict[str, str]:
        plan: dict[str, Any] = open_config(to.authentication or {}, self._cluster_key)
        match plan.get("type"):
            case None:
                return {}
            case "bearer":
                return bearer_header(plan)
            case "hmac":
                return hmac_headers(plan, Signed(url, delivery.body, delivery.id, self._now_ms()))
            case "oauth2":
                return {"authorization": f"Bearer {await self._token(plan)}"}
            case _:
                raise CannotSign("authenticationPlan.type is none that a webhook can use")

    async def _token(self, plan: Mapping[str, Any]) -> str:
        """By client credentials; kept until it ends. Raises TokenRefused, AddressRefused."""
        key = (str(plan["url"]), str(plan["clientId"]))
        known = self._tokens.get(key)
        if known is not None and time.monotonic() < known.until_s:
            return known.value
        form = {
            "grant_type": "client_credentials",
            "client_id": plan["clientId"],
            "client_secret": plan["clientSecret"],
        }
        if plan.get("scope"):
            form["scope"] = plan["scope"]
        answer = bytearray()
        async with self._client.stream("POST", key[0], data=form, headers={"accept": "application/json"}) as response:
            await _read_a_little(response, answer)
        token = _read_token(response.status_code, bytes(answer))
        self._tokens[key] = token
        return token.value


async def _read_a_little(response: httpx.Response, into: bytearray | None = None) -> None:
    seen = 0
    async for chunk in response.aiter_bytes():
        seen += len(chunk)
        if into is not None:
            into += chunk
        if seen > _READ_AT_MOST_BYTES:
            return


def _read_token(status: int, body: bytes) -> _Token:
    """Raises TokenRefused."""
    try:
        found = httpx.Response(status, content=body).json()
        value, lasts_s = found["access_token"], float(found.get("expires_in", _TOKEN_S))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TokenRefused(f"status {status}") from None
    return _Token(str(value), time.monotonic() + max(0.0, lasts_s - _TOKEN_MARGIN_S))
