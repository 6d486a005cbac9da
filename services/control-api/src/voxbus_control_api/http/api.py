"""What the routes need: stores, the bus, addresses, a clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from voxbus_contracts import CallRef, Command
from voxbus_contracts.commands import AnalyseCall
from voxbus_contracts.events import AnalysisMade
from voxbus_control_api.access import Addresses
from voxbus_control_api.assistant_store import AssistantStore
from voxbus_control_api.call_store import CallStore
from voxbus_control_api.calls.artifact_access import Artifacts
from voxbus_control_api.calls.starting import Starter
from voxbus_control_api.chats.conversations import Conversations
from voxbus_control_api.key_store import KeyStore
from voxbus_control_api.live.events import LiveEvents
from voxbus_control_api.live.sound import LiveSound
from voxbus_control_api.messages.dead_letters import DeadLetters
from voxbus_control_api.org_store import OrgStore
from voxbus_control_api.rate_limit import RateLimit
from voxbus_control_api.resource_store import ResourceStore


class BusOfCalls(Protocol):
    """What is said on the bus about calls; every method raises Unavailable when the bus does not answer."""

    async def command(self, ref: CallRef, command: Command) -> None: ...

    async def analysed(self, ref: CallRef, command: AnalyseCall) -> AnalysisMade | None: ...

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Api:
    """Kept in the application's state as `api`."""

    keys: KeyStore
    orgs: OrgStore
    rate_limit: RateLimit
    concurrency_limit: int
    assistants: AssistantStore
    resources: ResourceStore
    calls: CallStore
    chats: Conversations
    bus: BusOfCalls
    starter: Starter
    artifacts: Artifacts
    dead_letters: DeadLetters
    live: LiveEvents
    sound: LiveSound
    addresses: Addresses
    max_body_bytes: int
    max_file_bytes: int
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    health: Callable[[], dict[str, Any]]


def api_of(request: HTTPConnection) -> Api:
    return request.app.state.api


async def api_for(request: HTTPConnection) -> Api:
    """The same as a dependency: a plain function would be run in a thread, once per request."""
    return api_of(request)
