"""What the routes need: stores, the bus, addresses, a clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Request
from pydantic import SecretStr

from voxbus_contracts import CallRef, Command
from voxbus_contracts.config import CallConfig
from voxbus_control_api.access import Addresses
from voxbus_control_api.assistant_store import AssistantStore
from voxbus_control_api.call_store import CallStore
from voxbus_control_api.errors import Unauthorized
from voxbus_control_api.key_store import KeyStore
from voxbus_control_api.resource_store import ResourceStore


class BusOfCalls(Protocol):
    """What is said on the bus about calls; every method raises Unavailable when the bus does not answer."""

    async def store_config(self, config: CallConfig) -> None: ...

    async def announce(self, config: CallConfig) -> None: ...

    async def command(self, ref: CallRef, command: Command) -> None: ...

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Api:
    """Kept in the application's state as `api`."""

    keys: KeyStore
    assistants: AssistantStore
    resources: ResourceStore
    calls: CallStore
    bus: BusOfCalls
    addresses: Addresses
    cluster_key: SecretStr | None
    join_timeout_ms: int
    max_body_bytes: int
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    new_traceparent: Callable[[], str]
    health: Callable[[], dict[str, Any]]


def api_of(request: Request) -> Api:
    return request.app.state.api


async def org_of(request: Request) -> str:
    """The organisation whose private key the request carries; raises Unauthorized."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("a private key is needed: Authorization: Bearer <key>")
    org = await api_of(request).keys.org_of(key.strip())
    if org is None:
        raise Unauthorized("this key is not valid")
    return org
