"""Fetches what a request only names: assistant, squad, phone number, tools."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from voxbus_control_api.call_request import CallRequest
from voxbus_control_api.calls.call_credentials import named_credentials, providers_in
from voxbus_control_api.calls.layers import Layer, laid_over, member_layers
from voxbus_control_api.calls.message_server import chosen_server
from voxbus_control_api.calls.planning import Speaker, first_member, own_layers
from voxbus_control_api.calls.recruiting import ASSISTANT, SQUAD, Beginner, Recruiter
from voxbus_control_api.calls.roster import Roster
from voxbus_control_api.calls.stored_outputs import STRUCTURED_OUTPUT, output_ids, with_stored_outputs
from voxbus_control_api.calls.stored_tools import tool_ids, with_stored_tools
from voxbus_control_api.calls.tool_files import tool_file_ids
from voxbus_control_api.errors import BadRequest, NotFound
from voxbus_control_api.overrides import Json
from voxbus_control_api.resource_store import Resource

PHONE_NUMBER: Final = "phone-number"
TOOL: Final = "tool"
CREDENTIAL: Final = "credential"
FILE: Final = "file"

_REASONS: Final = {
    ASSISTANT: "assistant-not-found",
    SQUAD: "call.start.error-get-assistant",
    PHONE_NUMBER: "call.start.error-get-phone-number",
}


class Missing(NotFound):
    """Something the request names is not there. `reason` is the end of a call that finds out when it starts."""

    def __init__(self, kind: str, resource_id: str) -> None:
        super().__init__(f"there is no {kind.replace('-', ' ')} {resource_id[:64]}")
        self.reason = _REASONS[kind]


class Stored(Protocol):
    """Resources as they are now."""

    async def get(self, org: str, kind: str, resource_id: str) -> Resource | None: ...

    async def by_lookup(self, org: str, kind: str, lookup: str) -> list[Resource]:
        """Oldest first."""
        ...

    async def org_body(self, org: str) -> Json:
        """The organisation, as it was posted; empty where it is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the request means today."""

    speaker: Speaker
    phone_number: Json | None = None


async def resolve(stored: Stored, org: str, request: CallRequest, alike: Sequence[CallRequest] = ()) -> Resolved:
    """`alike` are further requests that differ by their customer only.

    Raises Missing; BadRequest when neither request nor phone number says who speaks.
    """
    number = request.phone_number
    if request.phone_number_id is not None:
        number = await _body(stored, org, PHONE_NUMBER, request.phone_number_id)
    speaker = await _speaker(stored, org, request, number or {})
    layers = [*speaker.layers, *(layer for each in (request, *alike) for layer in own_layers(each))]
    bodies = [speaker.assistant, *(layer.overrides for layer in layers)]
    tools = await _by_id(stored, org, TOOL, tool_ids(bodies))
    outputs = await _by_id(stored, org, STRUCTURED_OUTPUT, output_ids(bodies))
    owner = {} if chosen_server(number) else await stored.org_body(org)
    roster = await _roster(Fetcher(stored, org), request, speaker)
    others = [*outputs.values(), *(each.assistant for each in roster.recruits)]
    credentials = await credentials_for(stored, org, [*bodies, *tools.values(), *others, number, owner])
    files = await files_for(stored, org, [*bodies, *tools.values(), *others])
    named = {"tools": tools, "outputs": outputs, "credentials": credentials, "files": files}
    return Resolved(replace(speaker, **named, org=owner, roster=roster), number)


async def files_for(stored: Stored, org: str, bodies: Sequence[Json | None]) -> dict[str, Json]:
    """Those that query tools of these bodies, or these stored tools, name."""
    return await _by_id(stored, org, FILE, tool_file_ids(bodies))


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Bodies of one organisation."""

    stored: Stored
    org: str

    async def find(self, kind: str, resource_id: str) -> Json | None:
        found = await self.stored.get(self.org, kind, resource_id)
        return found.body if found else None

    async def need(self, kind: str, resource_id: str) -> Json:
        return await _body(self.stored, self.org, kind, resource_id)

    async def with_tools(self, assistant: Json, place: str) -> Json:
        """With the stored tools it names. Raises BadRequest."""
        return with_stored_tools(assistant, await _by_id(self.stored, self.org, TOOL, tool_ids([assistant])), place)

    async def whole(self, assistant: Json, place: str) -> Json:
        """With the stored tools and structured outputs it names. Raises BadRequest."""
        outputs = await _by_id(self.stored, self.org, STRUCTURED_OUTPUT, output_ids([assistant]))
        return with_stored_outputs(await self.with_tools(assistant, place), outputs, place)


async def _roster(fetcher: Fetcher, request: CallRequest, speaker: Speaker) -> Roster:
    """Whom the call may be handed to, by the tools the first assistant will have. Raises Missing, BadRequest."""
    assistant = laid_over(speaker.assistant, (*speaker.layers, *own_layers(request)))
    shared = tuple(layer for layer in own_layers(request) if layer.field.endswith("squadOverrides"))
    beginner = Beginner(
        await fetcher.with_tools(assistant, speaker.field),
        speaker.assistant_id,
        speaker.squad,
        "squadId" if speaker.squad_id else "squad" if speaker.squad else speaker.field,
        shared,
    )
    return await Recruiter(fetcher, fetcher.whole).roster(beginner)


async def _by_id(stored: Stored, org: str, kind: str, ids: Sequence[str]) -> dict[str, Json]:
    """Those that are there."""
    found = {each: await stored.get(org, kind, each) for each in ids}
    return {each: resource.body for each, resource in found.items() if resource is not None}


async def credentials_for(stored: Stored, org: str, bodies: Sequence[Json | None]) -> dict[str, Json]:
    """Those that these bodies name, then the newest of each vendor they speak of; by id, secrets open."""
    named = await _by_id(stored, org, CREDENTIAL, named_credentials(bodies))
    found = [await stored.by_lookup(org, CREDENTIAL, provider) for provider in providers_in(bodies)]
    return named | {each[-1].id: each[-1].body for each in found if each and each[-1].id not in named}


async def _speaker(stored: Stored, org: str, request: CallRequest, number: Json) -> Speaker:
    if request.assistant is not None:
        return Speaker("assistant", request.assistant)
    if request.squad is not None:
        return await _of_squad(stored, org, request.squad, None)
    assistant_id, squad_id = request.assistant_id, request.squad_id
    if not (assistant_id or squad_id):
        assistant_id, squad_id = number.get("assistantId"), number.get("squadId")
    if assistant_id:
        return Speaker("assistantId", await _body(stored, org, ASSISTANT, assistant_id), assistant_id)
    if squad_id:
        return await _of_squad(stored, org, await _body(stored, org, SQUAD, squad_id), squad_id)
    raise BadRequest("assistantId, assistant, squadId or squad must be given: the phone number has none either")


async def _of_squad(stored: Stored, org: str, squad: Json, squad_id: str | None) -> Speaker:
    """The first member speaks."""
    field = "squadId" if squad_id else "squad"
    member = first_member(squad, field)
    layers: tuple[Layer, ...] = member_layers(squad, member, field)
    assistant_id = member.get("assistantId")
    if assistant_id is None:
        assistant = member["assistant"]
        if not isinstance(assistant, dict):
            raise BadRequest(f"{field}.members.0.assistant must be an object")
        return Speaker(f"{field}.members.0.assistant", assistant, None, squad_id, layers, squad=squad)
    assistant = await _body(stored, org, ASSISTANT, str(assistant_id))
    return Speaker(f"{field}.members.0.assistantId", assistant, str(assistant_id), squad_id, layers, squad=squad)


async def _body(stored: Stored, org: str, kind: str, resource_id: str) -> Json:
    found = await stored.get(org, kind, resource_id)
    if found is None:
        raise Missing(kind, resource_id)
    return found.body
