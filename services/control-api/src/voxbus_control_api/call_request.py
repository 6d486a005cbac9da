"""`POST /call` and its relatives: what is asked for. Pure."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from voxbus_control_api.calls.customers import Customer
from voxbus_control_api.calls.schedule import SchedulePlan
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.overrides import Json, without_nulls
from voxbus_control_api.problems import read_with

Kind = Literal["vapi.websocketCall", "webCall", "outboundPhoneCall", "inboundPhoneCall"]

WEBSOCKET: Final = "vapi.websocket"
PHONE_TRANSPORTS: Final = ("twilio", "vonage", "telnyx", "vapi.sip")
SPEAKERS: Final = ("assistantId", "assistant", "squadId", "squad")

_NUMBERS: Final = ("phoneNumberId", "phoneNumber", "customers")
_ONE_SPEAKER: Final = f"exactly one of {', '.join(SPEAKERS[:-1])} and {SPEAKERS[-1]} must be given"
_WORKFLOWS: Final = ("workflowId", "workflow", "workflowOverrides")
_PHONE_ONLY: Final = (*_NUMBERS, "customer", "customerId", "schedulePlan", "phoneCallProviderBypassEnabled")


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)


class AudioFormat(_Request):
    """How audio travels; mu-law is 8 kHz unless said otherwise."""

    format: Literal["pcm_s16le", "mulaw"] = "pcm_s16le"
    container: Literal["raw"] = "raw"
    sample_rate: Annotated[int | None, Field(ge=3_000, le=192_000)] = None

    @property
    def rate_hz(self) -> int:
        return self.sample_rate or (8_000 if self.format == "mulaw" else 16_000)


class Transport(_Request):
    """What carries the call. Of phone calls the phone number decides it, and this is an echo."""

    provider: Literal["vapi.websocket", "daily", "twilio", "vonage", "telnyx", "vapi.sip"]
    audio_format: AudioFormat = AudioFormat()


class CallRequest(_Request):
    """Body of `POST /call`; unknown fields are kept and echoed."""

    assistant_id: str | None = None
    assistant: Json | None = None
    assistant_overrides: Json = {}
    squad_id: str | None = None
    squad: Json | None = None
    squad_overrides: Json = {}
    phone_number_id: str | None = None
    phone_number: Json | None = None
    customer: Customer | None = None
    customers: list[Json] | None = None
    transport: Transport | None = None
    schedule_plan: SchedulePlan | None = None
    name: Annotated[str | None, Field(max_length=40)] = None
    metadata: Json | None = None
    phone_call_provider_bypass_enabled: bool = False


class CallPatch(BaseModel):
    """Body of `PATCH /call/{id}`: only the name can be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str | None, Field(max_length=40)]


def kind_of(body: Json) -> Kind:
    """A phone call unless its transport is the WebSocket."""
    transport = body.get("transport")
    is_socket = isinstance(transport, dict) and transport.get("provider") not in PHONE_TRANSPORTS
    return "vapi.websocketCall" if is_socket else "outboundPhoneCall"


def parse_request(body: Json) -> CallRequest:
    """One call over the WebSocket or the telephone. Raises BadRequest naming every offending field."""
    given = without_nulls(body)
    request = read_with([*_speaker_problems(given), *_carriage_problems(given)], CallRequest, given)
    if kind_of(given) == "outboundPhoneCall":
        _check_callee(request)
    return request


def parse_web_request(body: Json) -> CallRequest:
    """Body of `POST /call/web`. Raises BadRequest."""
    given = without_nulls(body)
    problems = _speaker_problems(given)
    problems += [f"{name} must not be given for a web call" for name in _PHONE_ONLY if name in given]
    return read_with(problems, CallRequest, {name: value for name, value in given.items() if name != "transport"})


def parse_inbound(body: Json) -> CallRequest:
    """What the phone number, or the customer's server, has answered, with who called. Raises BadRequest."""
    given = without_nulls(body)
    problems = _workflow_problems(given)
    if not problems and sum(name in given for name in SPEAKERS) != 1:
        problems.append(_ONE_SPEAKER)
    return read_with(problems, CallRequest, given)


def _workflow_problems(given: Json) -> list[str]:
    return [f"{name} is not supported by this server" for name in _WORKFLOWS if name in given]


def _speaker_problems(given: Json) -> list[str]:
    problems = _workflow_problems(given)
    speakers = [name for name in SPEAKERS if name in given]
    may_come_from_number = kind_of(given) == "outboundPhoneCall" and "phoneNumberId" in given
    if not problems and (len(speakers) > 1 or not (speakers or may_come_from_number)):
        problems.append(_ONE_SPEAKER)
    return problems


def _carriage_problems(given: Json) -> list[str]:
    transport = given.get("transport", {})
    provider = transport.get("provider") if isinstance(transport, dict) else None
    numbers = [name for name in _NUMBERS if name in given]
    if provider == WEBSOCKET:
        return [f"{name} must not be given together with transport.provider vapi.websocket" for name in numbers]
    if provider == "daily":
        return ["transport.provider daily belongs to POST /call/web"]
    if kind_of(given) != "outboundPhoneCall":
        return []
    problems: list[str] = []
    if ("phoneNumberId" in given) == ("phoneNumber" in given):
        problems.append(
            "exactly one of phoneNumberId and phoneNumber must be given, or transport.provider vapi.websocket"
        )
    if "customer" in given and "customers" in given:
        problems.append("customers must not be given together with customer")
    if "customerId" in given:
        problems.append("customerId is not supported by this server: give customer")
    return problems


def _check_callee(request: CallRequest) -> None:
    if request.customers is None and (request.customer is None or not request.customer.can_be_called):
        raise BadRequest("customer.number or customer.sipUri must be given")
