"""Which API a command speaks to, with which key, about which assistant."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from voxbus_cli.call.api import is_this_machine
from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import ApiRefused, BadInput, NotReachable
from voxbus_contracts.identity import DEMO_ASSISTANT

_TIMEOUT_S: Final = 15.0


class PrivateApi:
    """One server's API, with one private key."""

    def __init__(self, url: str, key: str) -> None:
        self.key = key
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        """Raises ApiRefused or NotReachable."""
        try:
            with httpx.Client(base_url=self._url, timeout=_TIMEOUT_S, trust_env=not is_this_machine(self._url)) as http:
                response = http.request(method, path, json=body, params=query, headers=self._headers)
        except httpx.HTTPError as wrong:
            raise NotReachable(
                f"{self._url} does not answer ({type(wrong).__name__}): run `voxbus up` first"
            ) from wrong
        if not response.is_success:
            raise ApiRefused(f"{response.status_code}: {response.text[:300]}")
        return response.json()


def assistant_id(given: str | None, environ: Mapping[str, str]) -> str:
    """The option, the environment, the demo assistant."""
    return given or environ.get("VOXBUS_DEFAULT_ASSISTANT") or DEMO_ASSISTANT


def api_url(given: str | None, settings: StackSettings) -> str:
    """The option, what the running stack wrote, the default."""
    written = settings.api_url_file
    return given or (written.read_text().strip() if written.exists() else settings.api_url)


def api_key(given: str | None, settings: StackSettings) -> str:
    """The option, the environment, what the stack wrote."""
    if found := given or settings.api_key:
        return found
    written = settings.api_key_file
    if not written.exists():
        raise BadInput(f"--key: no key given, none in VOXBUS_API_KEY, and {written} does not exist: start `voxbus up`")
    return written.read_text().strip()
