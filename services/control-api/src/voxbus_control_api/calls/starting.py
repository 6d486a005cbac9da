"""Places calls: what was asked for becomes stored calls, their configurations and their first events.

A configuration is on the bus before its call is stored, so that whoever has the address can connect. Once a call is
stored the client is answered well: what could not be said on the bus then, `DueCalls` says later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pydantic import SecretStr
from structlog.stdlib import BoundLogger

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig, CallCredential, KnowledgeFile, Member, MessageServer
from voxbus_contracts.monitor import MonitorAddresses, MonitorPlan
from voxbus_control_api.access import Addresses, sha256_hex
from voxbus_control_api.call_request import CallRequest, Kind
from voxbus_control_api.call_store import Added, CallStore, NewCall
from voxbus_control_api.calls.asked import FOUND_BY, asked_of, with_asked
from voxbus_control_api.calls.call_credentials import call_credentials
from voxbus_control_api.calls.planning import CallPlan, plan_call
from voxbus_control_api.calls.repeats import RepeatKey
from voxbus_control_api.calls.resolving import Resolved, Stored, resolve
from voxbus_control_api.calls.roster import Recruit
from voxbus_control_api.calls.schedule import Window, window
from voxbus_control_api.errors import Misconfigured, Unavailable
from voxbus_control_api.projection import CallFacts
from voxbus_control_api.secret_names import without_number_secrets
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.personal import new_personal_key
from voxbus_runtime.sealing import seal, seal_config

Json = dict[str, Any]

_AT_A_TIME: Final = 32
"""Calls of a batch that are put on the bus together."""


class Announcing(Protocol):
    """What is said on the bus; both raise Unavailable."""

    async def store_config(self, config: CallConfig) -> None: ...

    async def announce(self, config: CallConfig) -> None: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """One call that can be placed. `config` None = it is scheduled."""

    new: NewCall
    plan: CallPlan
    config: CallConfig | None


@dataclass(frozen=True, slots=True)
class Starter:
    """Stores, bus, addresses and a clock (ms since the epoch)."""

    stored: Stored
    calls: CallStore
    bus: Announcing
    addresses: Addresses
    cluster_key: SecretStr | None
    join_timeout_ms: int
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    new_traceparent: Callable[[], str]
    log: BoundLogger
    private: bool = False

    async def resolved(self, org: str, request: CallRequest, alike: Sequence[CallRequest] = ()) -> Resolved:
        return await resolve(self.stored, org, request, alike)

    def prepare(self, org: str, request: CallRequest, kind: Kind, resolved: Resolved, body: Json) -> Prepared:
        """Everything about a call that can be wrong is wrong here. Raises BadRequest."""
        when = window(request.schedule_plan, self.now_ms()) if request.schedule_plan else None
        plan = plan_call(request, resolved.speaker, kind, resolved.phone_number)
        config = self.configured(CallRef(org, self.new_id()), plan)
        new = new_call(config, plan, request, without_number_secrets(body), when)
        return Prepared(new, plan, None if when else with_asked(config, new, self.cluster_key))

    async def place(self, org: str, prepared: Sequence[Prepared], key: RepeatKey | None) -> Added:
        """The calls there are now: those of an earlier request with the same key, if there was one.

        Those the organisation has no place for are not announced, and nobody is let into them yet. Raises
        Unavailable (then no call was made) and Conflict.
        """
        starting = [each.config for each in prepared if each.config is not None]
        await _few_at_a_time(self.bus.store_config, starting)
        added = await self.calls.add(org, [each.new for each in prepared], key, self.now_ms())
        if added.standing is not None:
            waiting = added.standing.waiting
            await _few_at_a_time(self._let_wait, [each for each in starting if each.call in waiting])
            await _few_at_a_time(self.announce, [each for each in starting if each.call not in waiting])
        return added

    def configured(self, ref: CallRef, plan: CallPlan) -> CallConfig:
        """Raises Misconfigured."""
        try:
            assistant = Assistant.model_validate(seal_config(plan.assistant, self.cluster_key))
            servers = {name: seal_config(server, self.cluster_key) for name, server in _servers(plan)}
            credentials = seal_config(plan.credentials, self.cluster_key)
            members = tuple(self.member(each) for each in plan.members)
            is_private = self.private or any(each.is_private for each in (assistant, *(m.assistant for m in members)))
            personal_key = new_personal_key(self.cluster_key) if is_private else ""
        except BadSeal as missing:
            raise Misconfigured(str(missing)) from missing
        config = CallConfig(
            org=ref.org,
            call=ref.call,
            created_at_ms=self.now_ms(),
            call_type=plan.kind,
            transport=plan.transport,
            attach_token_sha256=sha256_hex(self.addresses.transport_token(ref)),
            assistant_id=plan.assistant_id,
            assistant=assistant,
            join_timeout_ms=self.join_timeout_ms,
            traceparent=self.new_traceparent(),
            variables=plan.variables,
            tool_files={each: KnowledgeFile.model_validate(file) for each, file in plan.tool_files.items()},
            monitor=self._monitor(ref, assistant.monitor_plan or MonitorPlan()),
        )
        lent = (
            {"credentials": tuple(CallCredential.model_validate(each) for each in credentials)} if credentials else {}
        )
        cast = {"members": members} if members else {}
        told = {name: MessageServer.model_validate(server) for name, server in servers.items()}
        config = config.model_copy(update={**lent, **cast, **told})
        private = {"private": self.private, "personal_key": personal_key}
        return config.model_copy(update=private) if is_private else config

    def member(self, recruit: Recruit) -> Member:
        """As it stands in the configuration. Raises BadSeal."""
        assistant = Assistant.model_validate(seal_config(recruit.assistant, self.cluster_key))
        lent = seal_config(call_credentials(recruit.assistant, recruit.credentials), self.cluster_key)
        given = {"key": recruit.key, "assistant": assistant}
        own = {"assistant_id": recruit.assistant_id, "variables": recruit.variables, "credentials": lent}
        return Member.model_validate(given | {name: value for name, value in own.items() if value})

    def _monitor(self, ref: CallRef, plan: MonitorPlan) -> MonitorAddresses | None:
        """Sealed, for those who tell a customer's endpoints about the call."""
        if self.cluster_key is None:
            return None
        given = self.addresses.monitor(ref, plan).model_dump(exclude_none=True)
        return MonitorAddresses(**{name: seal(url, self.cluster_key) for name, url in given.items()})

    async def _let_wait(self, config: CallConfig) -> None:
        try:
            await self.bus.store_config(config.model_copy(update={"is_waiting": True}))
        except Unavailable as trouble:
            self.log.warning("a waiting call can be connected to", call=config.call, problem=str(trouble))

    async def announce(self, config: CallConfig) -> None:
        """Now, or a little later: the call is stored."""
        try:
            await self.bus.announce(config)
        except Unavailable as later:
            self.log.warning("a call is announced later", call=config.call, problem=str(later))


def _servers(plan: CallPlan) -> list[tuple[str, Json]]:
    found = (("message_server", plan.message_server), ("shared_server", plan.shared_server))
    return [(name, server) for name, server in found if server]


async def _few_at_a_time(act: Callable[[CallConfig], Awaitable[None]], configs: Sequence[CallConfig]) -> None:
    for start in range(0, len(configs), _AT_A_TIME):
        await asyncio.gather(*(act(config) for config in configs[start : start + _AT_A_TIME]))


def facts_of(config: CallConfig, body: Json, created_at_ms: int) -> CallFacts:
    """What the record begins with."""
    transport: Json = {"provider": config.transport.provider}
    if config.call_type != "outboundPhoneCall":
        transport["audioFormat"] = {
            "format": config.transport.encoding,
            "container": "raw",
            "sampleRate": config.transport.sample_rate_hz,
        }
    prompts = [each.content for each in config.assistant.model.messages if each.role == "system" and each.content]
    return CallFacts(
        id=config.call,
        org=config.org,
        created_at_ms=created_at_ms,
        updated_at_ms=config.created_at_ms,
        call_type=config.call_type,
        transport=transport,
        body=body,
        system_prompts=tuple(prompts),
        is_recorded=config.is_recorded,
        is_logged=not config.is_private and _wants_logs(config),
        monitor_plan=config.monitor_plan.model_dump(by_alias=True, exclude_unset=True),
    )


def _wants_logs(config: CallConfig) -> bool:
    plan = config.assistant.artifact_plan
    return plan is None or (plan.model_extra or {}).get("loggingEnabled") is not False


def call_of(config: CallConfig, cluster_key: SecretStr | None) -> NewCall:
    """The call that `config` was made for; of one without a request what the configuration alone tells.

    Raises BadSeal.
    """
    asked = asked_of(config, cluster_key)
    facts = facts_of(config, asked.get("body", {}), asked.get("created_at_ms", config.created_at_ms))
    return NewCall(facts, assistant_id=config.assistant_id, **{name: asked.get(name) for name in FOUND_BY})


def new_call(
    config: CallConfig, plan: CallPlan, request: CallRequest, body: Json, when: Window | None = None
) -> NewCall:
    """What is stored of it; `body` is what was asked for, as it may be shown."""
    return NewCall(
        facts=facts_of(config, body, config.created_at_ms),
        assistant_id=plan.assistant_id,
        squad_id=plan.squad_id,
        phone_number_id=request.phone_number_id,
        customer_number=request.customer.number if request.customer else None,
        scheduled_at_ms=when.earliest_ms if when else None,
        latest_at_ms=when.latest_ms if when else None,
    )
