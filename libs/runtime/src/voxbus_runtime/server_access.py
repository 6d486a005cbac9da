"""What lets us in at a customer's server: its own headers, its secret, and what its credential says.

Secrets are opened here, right before a request, and held nowhere else. Source: the public API's authentication plans.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from pydantic import SecretStr

from voxbus_contracts.api_model import Server
from voxbus_runtime.errors import AddressRefused, BadSeal, RuntimeFault
from voxbus_runtime.sealing import open_config, open_seal
from voxbus_runtime.signing import CannotSign, Signed, bearer_header, hmac_headers, secret_header

_READ_AT_MOST_BYTES: Final = 65_536
_TOKEN_S: Final = 300.0
_TOKEN_MARGIN_S: Final = 30.0
_REFUSED_TOGETHER_S: Final = 2.0
"""Requests that were under way with a token that was refused: it is replaced once for all of them."""


class TokenRefused(RuntimeFault):
    """The authorization server gave no token. retryable: it may be away."""

    code = "server-token-refused"
    retryable = True


class CredentialMissing(RuntimeFault):
    """The server names a credential that is not there: nothing is sent without it."""

    code = "server-credential-missing"


UNUSABLE: Final = (BadSeal, CannotSign, CredentialMissing)
"""What no second try mends: a secret of another cluster, a plan that cannot be followed, a credential that is gone."""
_UNAUTHORIZED: Final = 401
UNREACHABLE: Final = (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError, ValueError)
"""What asking for a token may raise, beside AddressRefused, TokenRefused and a timeout."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until_s: float


class ServerAccess:
    """One per process. The client has to be one for customers' addresses: authorization servers are theirs too."""

    def __init__(self, client: httpx.AsyncClient, cluster_key: SecretStr | None) -> None:
        self._client = client
        self._cluster_key = cluster_key
        self._tokens: dict[tuple[str, ...], _Token] = {}
        self._fetching: dict[tuple[str, ...], asyncio.Lock] = {}
        self._refused_s: dict[tuple[str, ...], float] = {}

    async def headers(self, server: Server, authentication: Mapping[str, Any] | None, signed: Signed) -> dict[str, str]:
        """Names in lower case; the credential's over the secret's, those over the server's own. Secrets may be sealed.

        Raises BadSeal, CannotSign, CredentialMissing, TokenRefused, AddressRefused, UNREACHABLE.
        """
        if server.credential_id and authentication is None:
            raise CredentialMissing(f"there is no credential {server.credential_id[:64]}")
        own = {name.lower(): open_seal(value, self._cluster_key) for name, value in server.headers.items()}
        secret = secret_header(open_seal(server.secret or "", self._cluster_key))
        return own | secret | await self.authentication(authentication, signed)

    async def authentication(self, authentication: Mapping[str, Any] | None, signed: Signed) -> dict[str, str]:
        """The credential's headers alone. Raises as `headers`."""
        plan: dict[str, Any] = open_config(authentication or {}, self._cluster_key)
        match plan.get("type"):
            case None:
                return {}
            case "bearer":
                return bearer_header(plan)
            case "hmac":
                return hmac_headers(plan, signed)
            case "oauth2":
                return {"authorization": f"Bearer {await self._token(plan)}"}
            case _:
                raise CannotSign("authenticationPlan.type is none that a server can use")

    def renews(self, authentication: Mapping[str, Any] | None, status: int) -> bool:
        """After an answer with this status: whether the token was refused, so that asking once more, with a new one,
        may change it. False where no token was fetched. Raises BadSeal.
        """
        if status != _UNAUTHORIZED:
            return False
        plan: dict[str, Any] = open_config(authentication or {}, self._cluster_key)
        if plan.get("type") != "oauth2":
            return False
        key, now_s = _key_of(plan), time.monotonic()
        if now_s - self._refused_s.get(key, -_REFUSED_TOGETHER_S) < _REFUSED_TOGETHER_S:
            return True
        if self._tokens.pop(key, None) is None:
            return False
        self._refused_s[key] = now_s
        return True

    async def _token(self, plan: Mapping[str, Any]) -> str:
        """By refreshToken where the plan has one; kept until it ends. Raises TokenRefused, AddressRefused."""
        key = _key_of(plan)
        async with self._fetching.setdefault(key, asyncio.Lock()):
            known = self._tokens.get(key)
            if known is None or time.monotonic() >= known.until_s:
                known = self._tokens[key] = await self._fetched(key[0], plan)
            return known.value

    async def _fetched(self, url: str, plan: Mapping[str, Any]) -> _Token:
        refresh = plan.get("refreshToken")
        form = {
            "grant_type": "refresh_token" if refresh else "client_credentials",
            "client_id": plan["clientId"],
            "client_secret": plan["clientSecret"],
        }
        if refresh:
            form["refresh_token"] = refresh
        if plan.get("scope"):
            form["scope"] = plan["scope"]
        answer = bytearray()
        async with self._client.stream("POST", url, data=form, headers={"accept": "application/json"}) as response:
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > _READ_AT_MOST_BYTES:
                    raise TokenRefused("the authorization server answered too much")
        return _read_token(response.status_code, bytes(answer))


def _key_of(plan: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(plan.get(name, "")) for name in ("url", "clientId", "refreshToken", "scope"))


def problem_of(fault: Exception) -> str:
    """Why nobody was let in, in words without addresses and secrets; None of these faults may be quoted."""
    if isinstance(fault, AddressRefused):
        return "it must not be reached from here"
    if isinstance(fault, CredentialMissing):
        return "its credential is not there"
    if isinstance(fault, TokenRefused):
        return "its authorization server gave no token"
    if isinstance(fault, BadSeal | CannotSign):
        return "its secret cannot be used"
    return f"it could not be reached: {type(fault).__name__}"


def _read_token(status: int, body: bytes) -> _Token:
    """Raises TokenRefused."""
    try:
        found = httpx.Response(status, content=body).json()
        value, lasts_s = found["access_token"], float(found.get("expires_in", _TOKEN_S))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TokenRefused(f"status {status}") from None
    return _Token(str(value), time.monotonic() + max(0.0, lasts_s - _TOKEN_MARGIN_S))
