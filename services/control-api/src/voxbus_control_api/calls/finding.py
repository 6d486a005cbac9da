"""Finds out where a call goes: by the customer's server, or what an assistant's or squad's id stands for.

An assistant that is new to the call is put into its configuration, sealed, before anybody hears of it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from pydantic import ValidationError
from structlog.stdlib import BoundLogger

from voxbus_bus import FactPublisher, Received
from voxbus_contracts import CallRef
from voxbus_contracts.api_model import Server
from voxbus_contracts.commands import FindDestination
from voxbus_contracts.config import CallConfig, Member
from voxbus_contracts.destination import FIRST, Destination
from voxbus_contracts.events import DestinationResolved
from voxbus_contracts.told.shapes import told_call, whole_assistant
from voxbus_control_api.bodies import validate_assistant
from voxbus_control_api.calls.outside import OUTSIDE, outside
from voxbus_control_api.calls.recruiting import Beginner, Recruiter
from voxbus_control_api.calls.resolving import Fetcher, Missing, Stored, credentials_for
from voxbus_control_api.calls.roster import Recruit, Roster, with_ways
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.messages.asking import NoAnswer, Question, ServerAsker

Json = dict[str, Any]

LONGEST_S: Final = 30.0
"""A server that takes longer is given up, whatever its own limit."""

_KINDS: Final = {"transfer": "transfer-destination-request", "handoff": "handoff-destination-request"}


class Configs(Protocol):
    """Where calls' configurations are; both raise Unavailable."""

    async def stored_config(self, ref: CallRef) -> CallConfig | None: ...

    async def store_config(self, config: CallConfig) -> None: ...


@dataclass(frozen=True, slots=True)
class DestinationFinder:
    """One process's. `sealed` makes an assistant of what is told; `artifact` is the conversation so far."""

    configs: Configs
    stored: Stored
    asker: ServerAsker
    publisher: FactPublisher
    sealed: Callable[[Recruit], Member]
    artifact: Callable[[CallConfig], Awaitable[Json]]
    now_ms: Callable[[], int]
    log: BoundLogger

    async def on_find(self, received: Received) -> None:
        """Answers once, whatever comes of it. Raises Unavailable and NotStored: then it comes again."""
        command = received.message
        assert isinstance(command, FindDestination)
        config = await self.configs.stored_config(received.ref)
        if config is None:
            return
        try:
            found = await self._found(config, command)
        except NoAnswer as nothing:
            found = DestinationResolved(cause=command.cause, error=f"No destination: {nothing}.")
        except (BadRequest, Missing, ValidationError) as wrong:
            self.log.info("a destination cannot be used", call=config.call, problem=type(wrong).__name__)
            found = DestinationResolved(cause=command.cause, error="The destination that was given cannot be used.")
        event_id = f"destination.{config.call}.{command.cause}"
        await self.publisher.publish_stored(
            received.ref, found, event_id=event_id, traceparent=received.envelope.traceparent
        )

    async def _found(self, config: CallConfig, command: FindDestination) -> DestinationResolved:
        answer: Json = {"destination": command.destination} if command.destination else await self._ask(config, command)
        given, error = answer.get("destination"), answer.get("error")
        if not isinstance(given, dict) or not given:
            told = error if isinstance(error, str) and error else "The server named no destination."
            return DestinationResolved(cause=command.cause, error=told)
        destination = await self._usable(config, given)
        return DestinationResolved(
            cause=command.cause,
            destination=destination,
            result=_text(answer.get("result")),
            message=_text(answer.get("message")),
        )

    async def _usable(self, config: CallConfig, given: Json) -> Json:
        """As the orchestrator reads it. Raises BadRequest, Missing, ValidationError."""
        if given.get("type") in OUTSIDE:
            return outside(given)
        member = _known_member(config, given) or await self._recruited(config, given)
        kept = {name: value for name, value in given.items() if name not in ("assistant", "squad", "member")}
        usable = Destination.model_validate({"type": "assistant", **kept, "member": member})
        return usable.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)

    async def _recruited(self, config: CallConfig, given: Json) -> str:
        fetcher = Fetcher(self.stored, config.org)
        destination = {"type": "squad" if given.get("squad") or given.get("squadId") else "assistant", **given}
        leading: Json = {"model": {"tools": [{"type": "handoff", "destinations": [destination]}]}}
        recruiter = Recruiter(fetcher, fetcher.whole, taken=len(config.members))
        roster = await recruiter.roster(Beginner(leading, field="destination"))
        if not roster.ways:
            raise BadRequest("destination must name an assistant or a squad that is there")
        lent = await credentials_for(self.stored, config.org, [each.assistant for each in roster.recruits])
        recruits = [replace(each, credentials=lent) for each in roster.recruits]
        members = tuple(self.sealed(_checked(each, roster)) for each in recruits)
        await self.configs.store_config(config.model_copy(update={"members": (*config.members, *members)}))
        return next(iter(roster.ways.values()))

    async def _ask(self, config: CallConfig, command: FindDestination) -> Json:
        speaking = config.spoken_by(command.member) if config.has_member(command.member) else config
        server, authentication = _server_of(speaking, command)
        message = {
            "type": _KINDS[command.request],
            "timestamp": self.now_ms(),
            "parameters": command.parameters,
            "artifact": await self.artifact(config),
            "call": told_call(speaking, "in-progress"),
            "assistant": whole_assistant(speaking),
        }
        known = {name: config.variables.get(name) for name in ("customer", "phoneNumber")}
        message |= {name: value for name, value in known.items() if isinstance(value, dict)}
        within_s = min(LONGEST_S, command.timeout_ms / 1000)
        question_id = f"{config.call}:{command.cause}"
        return await self.asker.ask(Question(server, authentication, message, config.call, question_id, within_s))


def _server_of(config: CallConfig, command: FindDestination) -> tuple[Server, Json | None]:
    """The destination's own, the tool's, the assistant's, the call's. Raises NoAnswer."""
    kind = "handoff" if command.request == "handoff" else "transferCall"
    tools = [tool for tool in config.assistant.model.tools if tool.type == kind]
    named = [tool for tool in tools if tool.name == command.tool_name] or tools
    own = [
        (each.model_extra or {}).get("server") for tool in named for each in tool.destinations if each.type == "dynamic"
    ]
    servers = [Server.model_validate(each) for each in own if isinstance(each, dict)]
    servers += [tool.server for tool in named if tool.server] + (
        [config.assistant.server] if config.assistant.server else []
    )
    for server in servers:
        if server.url:
            return server, config.authentication_of(server)
    if config.message_server is None:
        raise NoAnswer("there is no server to ask")
    return config.message_server.server, config.message_server.authentication


def _known_member(config: CallConfig, given: Json) -> str:
    """Key of the call's own assistant that is meant, "" = it is none of them."""
    if given.get("assistant") or given.get("assistantOverrides") or given.get("squad") or given.get("squadId"):
        return ""
    name, assistant_id = str(given.get("assistantName") or "").strip().lower(), given.get("assistantId")
    cast = [(FIRST, config.assistant_id, config.assistant.name)]
    cast += [(each.key, each.assistant_id, each.assistant.name) for each in config.members]
    for key, known_id, known_name in cast:
        is_named = not assistant_id and name and (known_name or "").strip().lower() == name
        if is_named or (assistant_id and known_id == assistant_id):
            return key
    return ""


def _checked(recruit: Recruit, roster: Roster) -> Recruit:
    validate_assistant(recruit.assistant, recruit.field)
    return replace(recruit, assistant=with_ways(recruit.assistant, roster, recruit.group))


def _text(value: Any) -> str | None:
    """A text, or the content of a tool's message."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None
