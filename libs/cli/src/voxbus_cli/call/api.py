"""The three requests a caller makes of the public API."""

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from voxbus_cli.errors import ApiRefused, BadInput, NotReachable

_TIMEOUT_S: Final = 15.0
_POLL_S: Final = 0.2
_UNCHANGED_S: Final = 1.0
_UNCHANGED_WITHOUT_COSTS_S: Final = 3.0
_SETTLED_WITHIN_S: Final = 20.0
_UNAUTHORIZED: Final = 401


def is_this_machine(url: str) -> bool:
    """Whether a URL points at the loopback interface, which no proxy may serve."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Api:
    """A client of one server; use it as a context manager."""

    def __init__(self, url: str, key: str) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise BadInput(f"--url: {url!r} is no http:// or https:// address")
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT_S,
            trust_env=not is_this_machine(url),
        )

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def create_call(self, assistant_id: str, sample_rate_hz: int) -> dict[str, Any]:
        """A call that waits for a caller on its `transport.websocketCallUrl`. Raises ApiRefused or NotReachable."""
        audio = {"format": "pcm_s16le", "container": "raw", "sampleRate": sample_rate_hz}
        body = {"assistantId": assistant_id, "transport": {"provider": "vapi.websocket", "audioFormat": audio}}
        return await self._request("POST", "/call", body)

    async def settled_call(self, call: str) -> dict[str, Any]:
        """The call once it has ended and nothing about it changes any more, or as it is when that takes too long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _SETTLED_WITHIN_S
        before, unchanged_since = None, 0.0
        while True:
            record = await self._request("GET", f"/call/{call}", None)
            if record != before:
                before, unchanged_since = record, loop.time()
            # Every stage's usage is a message of its own, so the cost arrives in pieces behind the end of the call;
            # a call that was never answered has none.
            calm_s = _UNCHANGED_S if record.get("costs") else _UNCHANGED_WITHOUT_COSTS_S
            is_calm = record.get("status") == "ended" and loop.time() - unchanged_since >= calm_s
            if is_calm or loop.time() > until:
                return record
            await asyncio.sleep(_POLL_S)

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.HTTPError as wrong:
            raise NotReachable(f"{self._url} does not answer ({_cause(wrong)}): run `voxbus up` first") from wrong
        if response.is_success:
            return response.json()
        if response.status_code == _UNAUTHORIZED:
            raise ApiRefused(f"{self._url} does not know this key: give the one that `voxbus up` printed with --key")
        raise ApiRefused(f"{method} {path}: {response.status_code} {_said(response)}")


def _said(response: httpx.Response) -> str:
    """The API's own words: `message` is a text or a list of them."""
    try:
        message = response.json().get("message", "")
    except (ValueError, AttributeError):
        return response.text[:200]
    return "; ".join(map(str, message)) if isinstance(message, list) else str(message)


def _cause(wrong: Exception) -> str:
    return str(wrong) or type(wrong).__name__
