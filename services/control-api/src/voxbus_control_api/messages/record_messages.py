"""What a customer's server is told of sessions, chats and deleted calls: things that no call's log tells.

A message goes the way of a call's: in order behind those of the same session, chat or call, delivered by the tool
runner, given up as a dead letter. It is told once the thing has happened; if the bus is away then, it is not told.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from pydantic import SecretStr
from structlog.stdlib import BoundLogger

from voxbus_contracts import CallRef
from voxbus_contracts.config import CHAT, CallConfig, MessageServer
from voxbus_contracts.delivery import SERVER, Delivery, Place
from voxbus_control_api import metrics
from voxbus_control_api.calls.message_server import chosen_server, message_server
from voxbus_control_api.chats.records import public
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.messages.outbox import Stored
from voxbus_control_api.overrides import Json
from voxbus_control_api.resource_store import Resource
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.sealing import seal_config

_TRIES: Final = 3
_DELETED: Final = "call.deleted"


class Resources(Protocol):
    """Resources as they are now."""

    async def get(self, org: str, kind: str, resource_id: str) -> Resource | None: ...

    async def org_body(self, org: str) -> Json: ...


class Configs(Protocol):
    """Where the deliverer looks for a message's server; raises Unavailable."""

    async def store_config(self, config: CallConfig) -> None: ...

    async def stored_config(self, ref: CallRef) -> CallConfig | None: ...


@dataclass(frozen=True, slots=True)
class RecordTeller:
    """Every method leaves a failure in the log alone: what was asked of the API has been done."""

    resources: Resources
    configs: Configs
    stream: Stored
    cluster_key: SecretStr | None
    now_ms: Callable[[], int]
    log: BoundLogger

    async def of_resource(self, resource: Resource, what: str) -> None:
        """`session.created`, `chat.deleted`, …: to the assistant's server, else the organisation's."""
        assistant: Json = resource.body.get("_assistant", {})
        ref, name = CallRef(resource.org, resource.id), f"{resource.kind}.{what}"
        if _is_wanted(assistant.get("serverMessages"), name):
            await self._tell(ref, name, {resource.kind: public(resource)}, assistant)

    async def call_deleted(self, ref: CallRef) -> None:
        """Nothing is left of the call but its configuration, which forgets itself."""
        config = await self.configs.stored_config(ref)
        if config is not None and config.message_server and _is_wanted(config.assistant.server_messages, _DELETED):
            await self._tell(ref, _DELETED, {"call": {"id": ref.call, "orgId": ref.org}}, {})

    async def _tell(self, ref: CallRef, kind: str, fields: Json, assistant: Json) -> None:
        try:
            at_ms = self.now_ms()
            if await self._has_server(ref, assistant, at_ms):
                await self._put(ref, kind, {"type": kind, "timestamp": at_ms, **fields})
        except Exception as problem:  # noqa: BLE001  # nobody who asked for the thing itself is to be bothered
            self.log.warning("a server message was not made", message=kind, problem=type(problem).__name__)

    async def _has_server(self, ref: CallRef, assistant: Json, at_ms: int) -> bool:
        """The deliverer finds the address in the configuration, which a session gets for that."""
        known = await self.configs.stored_config(ref)
        if known is not None and known.message_server is not None:
            return True
        server = chosen_server(assistant, None) or chosen_server(await self.resources.org_body(ref.org))
        if server is None:
            return False
        credentials: dict[str, Json] = {}
        if isinstance(credential_id := server.get("credentialId"), str):
            stored = await self.resources.get(ref.org, "credential", credential_id)
            credentials = {credential_id: stored.body} if stored else {}
        try:
            sealed = seal_config(message_server(server, credentials), self.cluster_key)
        except (BadRequest, BadSeal):
            return False
        given = known or CallConfig(org=ref.org, call=ref.call, created_at_ms=at_ms, call_type=CHAT, stages=())
        told_to = MessageServer.model_validate(sealed)
        await self.configs.store_config(given.model_copy(update={"message_server": told_to}))
        return True

    async def _put(self, ref: CallRef, kind: str, message: Json) -> None:
        """Behind whatever the same server was told of it before."""
        body = json.dumps({"message": message}, ensure_ascii=False).encode()
        for _ in range(_TRIES):
            previous_seq, before = await self.stream.newest(ref.delivery(SERVER))
            place = Place(before.stream_seq + 1 if before else 1, 0)
            delivery = Delivery(ref, SERVER, kind, place, int(message["timestamp"]), body)
            if await self.stream.put(replace(delivery, previous_seq=previous_seq)) is not None:
                metrics.MESSAGES_MADE.labels(kind).inc()
                return
        self.log.warning("a server message was not made: others were quicker", message=kind)


def _is_wanted(server_messages: Any, kind: str) -> bool:
    """None of these is among the defaults."""
    return isinstance(server_messages, list | tuple) and kind in server_messages
