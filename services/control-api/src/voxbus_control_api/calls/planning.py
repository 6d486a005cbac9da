"""The call's configuration: an assistant, everything laid over it, and how the audio travels. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as made_by
from typing import Any, Final

from voxbus_contracts.config import TransportFormat
from voxbus_control_api.bodies import validate_assistant
from voxbus_control_api.call_request import CallRequest, Kind
from voxbus_control_api.calls.call_credentials import call_credentials
from voxbus_control_api.calls.layers import Layer, check_layer, variables_in
from voxbus_control_api.calls.message_server import chosen_server, message_server
from voxbus_control_api.calls.roster import Recruit, Roster, with_older_destinations, with_ways
from voxbus_control_api.calls.stored_outputs import with_stored_outputs
from voxbus_control_api.calls.stored_tools import with_stored_tools
from voxbus_control_api.calls.tool_files import tool_files
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.overrides import Json, modernised, overridden

_CARRIERS: Final = {"twilio": "twilio", "vonage": "vonage", "telnyx": "telnyx"}
"""Phone number's provider → transport; numbers of the other kinds are reached by SIP."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks first, before the call's own overrides."""

    field: str
    """Of the request: where the assistant's problems are to be looked for."""
    assistant: Json
    assistant_id: str | None = None
    squad_id: str | None = None
    layers: tuple[Layer, ...] = ()
    tools: Mapping[str, Json] = made_by(default_factory=dict[str, Json])
    """The stored tools that the assistant or what lies over it may name, by id."""
    outputs: Mapping[str, Json] = made_by(default_factory=dict[str, Json])
    """The structured outputs that they may name, by id."""
    credentials: Mapping[str, Json] = made_by(default_factory=dict[str, Json])
    """Those that the call names, then the organisation's for its vendors; by id, secrets open."""
    files: Mapping[str, Json] = made_by(default_factory=dict[str, Json])
    """Those that a tool of the call may name, by id."""
    org: Json = made_by(default_factory=Json)
    """The organisation, as it was posted."""
    squad: Json | None = None
    roster: Roster = made_by(default_factory=Roster)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What the call will be: its assistant with everything applied, secrets still open."""

    kind: Kind
    assistant: Json
    transport: TransportFormat
    variables: Json
    assistant_id: str | None = None
    squad_id: str | None = None
    message_server: Json | None = None
    shared_server: Json | None = None
    """Of those who have none themselves, where `message_server` is the assistant's own."""
    credentials: tuple[Json, ...] = ()
    tool_files: Mapping[str, Json] = made_by(default_factory=dict[str, Json])
    members: tuple[Recruit, ...] = ()
    """Whom the call may be handed to."""


def first_member(squad: Json, field: str = "squad") -> Json:
    """The member that starts the call. Raises BadRequest."""
    members = squad.get("members")
    member = members[0] if isinstance(members, list) and members else None
    if not isinstance(member, dict):
        raise BadRequest(f"{field}.members must have at least one member")
    if ("assistantId" in member) == ("assistant" in member):
        raise BadRequest(f"{field}.members.0 must have exactly one of assistantId and assistant")
    return member


def plan_call(request: CallRequest, speaker: Speaker, kind: Kind, phone_number: Json | None = None) -> CallPlan:
    """Assistant and all that lies over it; raises BadRequest when a layer or the result is not valid."""
    layers = [*speaker.layers, *own_layers(request)]
    for layer in layers:
        check_layer(layer)
    if speaker.assistant_id is None:
        validate_assistant(speaker.assistant, speaker.field)
    assistant = modernised(speaker.assistant)
    for layer in layers:
        assistant = overridden(assistant, layer.overrides)
    place = layers[-1].field if layers else speaker.field
    assistant = with_stored_tools(modernised(assistant), speaker.tools, place)
    assistant = with_stored_outputs(assistant, speaker.outputs, place)
    validate_assistant(assistant, place)
    assistant = with_ways(with_older_destinations(assistant, speaker.roster.destinations), speaker.roster, 0)
    others = (phone_number, speaker.org)
    return CallPlan(
        kind=kind,
        assistant=assistant,
        transport=_transport(request, kind, phone_number),
        variables={**_known(request, phone_number), **variables_in(layers)},
        assistant_id=speaker.assistant_id,
        squad_id=speaker.squad_id,
        message_server=message_server(chosen_server(assistant, *others), speaker.credentials),
        shared_server=message_server(chosen_server(*others), speaker.credentials) if chosen_server(assistant) else None,
        credentials=tuple(call_credentials(assistant, speaker.credentials, phone_number)),
        tool_files=tool_files({"cast": [assistant, *(r.assistant for r in speaker.roster.recruits)]}, speaker.files),
        members=tuple(_checked(each, speaker.roster) for each in speaker.roster.recruits),
    )


def _checked(recruit: Recruit, roster: Roster) -> Recruit:
    """With its ways out marked. Raises BadRequest naming its offending fields."""
    validate_assistant(recruit.assistant, recruit.field)
    return replace(recruit, assistant=with_ways(recruit.assistant, roster, recruit.group))


def carrier_of(phone_number: Json | None) -> str:
    """The transport a phone number is reached by; a transient number is Twilio's."""
    provider = (phone_number or {}).get("provider", "twilio")
    return _CARRIERS.get(provider, "vapi.sip") if isinstance(provider, str) else "vapi.sip"


def own_layers(request: CallRequest) -> list[Layer]:
    """What the request itself lays over the assistant, the customer's last."""
    customer = request.customer
    found = [Layer("squadOverrides", request.squad_overrides), Layer("assistantOverrides", request.assistant_overrides)]
    if customer is not None:
        found.append(Layer("customer.squadOverrides", customer.squad_overrides))
        found.append(Layer("customer.assistantOverrides", customer.assistant_overrides))
    return [layer for layer in found if layer.overrides]


def _transport(request: CallRequest, kind: Kind, phone_number: Json | None) -> TransportFormat:
    if kind == "outboundPhoneCall":
        return TransportFormat(provider=carrier_of(phone_number), encoding="mulaw", sample_rate_hz=8_000)
    if request.transport is None:
        return TransportFormat()
    audio = request.transport.audio_format
    if kind == "inboundPhoneCall":
        carrier = request.transport.provider
        return TransportFormat(provider=carrier, encoding=audio.format, sample_rate_hz=audio.rate_hz)
    return TransportFormat(encoding=audio.format, sample_rate_hz=audio.rate_hz)


def _known(request: CallRequest, phone_number: Json | None) -> Json:
    """Variables every call has; the customer's own of the same name win."""
    known: dict[str, Any] = {}
    if request.customer is not None:
        known["customer"] = request.customer.variables()
    number = (phone_number or {}).get("number") or (phone_number or {}).get("twilioPhoneNumber")
    if isinstance(number, str):
        known["phoneNumber"] = {"number": number}
    return known
