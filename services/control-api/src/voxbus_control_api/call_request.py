"""`POST /call`: what is asked for, and the call's configuration made from it. Pure."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import TransportFormat
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.overrides import Json, modernised, overridden, without_nulls
from voxbus_control_api.problems import validated

_PHONE: tuple[str, ...] = ("phoneNumberId", "phoneNumber", "customers")
_NOT_YET: tuple[str, ...] = ("squadId", "squad", "squadOverrides", "workflowId", "workflow", "schedulePlan")


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
    """Only the WebSocket transport today."""

    provider: Literal["vapi.websocket"]
    audio_format: AudioFormat = AudioFormat()


class CallRequest(_Request):
    """Body of `POST /call`; unknown fields are kept and echoed."""

    assistant_id: str | None = None
    assistant: dict[str, Any] | None = None
    assistant_overrides: dict[str, Any] = {}
    transport: Transport
    name: Annotated[str | None, Field(max_length=40)] = None
    metadata: dict[str, Any] | None = None


class CallPatch(BaseModel):
    """Body of `PATCH /call/{id}`: only the name can be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str | None, Field(max_length=40)]


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What the call will be: its assistant with everything applied, secrets still open."""

    assistant: Json
    transport: TransportFormat
    variables: Json


def parse_request(body: Json) -> CallRequest:
    """Raises BadRequest naming every offending field."""
    given = without_nulls(body)
    problems = [f"{name} is not supported by this server yet" for name in _NOT_YET if name in given]
    phone = [name for name in _PHONE if name in given]
    if phone and "transport" not in given:
        problems += [f"{name}: phone calls are not supported by this server yet" for name in phone]
    elif phone:
        problems += [f"{name} must not be given together with transport.provider vapi.websocket" for name in phone]
    if not problems and ("assistantId" in given) == ("assistant" in given):
        problems.append("exactly one of assistantId and assistant must be given")
    if problems:
        raise BadRequest(*problems)
    return validated(CallRequest, given)


def validate_assistant(body: Json, prefix: str = "") -> Assistant:
    """An assistant as the services will read it; raises BadRequest naming every offending field."""
    return validated(Assistant, modernised(body), prefix)


def plan_call(request: CallRequest, stored_assistant: Json | None) -> CallPlan:
    """Assistant plus overrides; raises BadRequest when the result is not valid."""
    if request.assistant is not None:
        validate_assistant(request.assistant, "assistant")
    overrides = request.assistant_overrides
    variables = overrides.get("variableValues", {})
    if not isinstance(variables, dict):
        raise BadRequest("assistantOverrides.variableValues must be an object")
    if not isinstance(overrides.get("tools:append", []), list):
        raise BadRequest("assistantOverrides.tools:append must be a list")
    base = modernised(request.assistant or stored_assistant or {})
    assistant = modernised(overridden(base, overrides))
    validate_assistant(assistant, "assistantOverrides" if overrides else "assistant")
    audio = request.transport.audio_format
    transport = TransportFormat(
        provider=request.transport.provider, encoding=audio.format, sample_rate_hz=audio.rate_hz
    )
    return CallPlan(assistant, transport, variables)
