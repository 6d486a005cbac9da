"""Questions of one service to another, answered while the asker waits; neither is stored.

Asked with the bus's request and reply on `request.v1.<org>.<entity>.<what>`. Who gets no answer in time may ask again
with the same `id`: it counts once.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from voxbus_contracts.message import Personal
from voxbus_contracts.subjects import request_of, requests_named

Carrier = Literal["vapi.websocket", "twilio", "vonage", "telnyx", "vapi.sip"]


class Answer(BaseModel):
    """What comes back."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    example: ClassVar[dict[str, Any]]

    def payload(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


class Request(BaseModel):
    """Base of all questions. Readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    entity: ClassVar[str]
    what: ClassVar[str]
    owner: ClassVar[tuple[str, ...]]
    """Services that may ask."""
    consumer: ClassVar[str]
    """The one service that answers."""
    answer: ClassVar[type[Answer]]
    within_s: ClassVar[float]
    """Whoever has heard nothing by then asks again."""
    example: ClassVar[dict[str, Any]]

    @classmethod
    def name(cls) -> str:
        """`call.inbound`"""
        return f"{cls.entity}.{cls.what}"

    @classmethod
    def subject(cls, org: str) -> str:
        return request_of(org, cls.entity, cls.what)

    @classmethod
    def all_subjects(cls) -> str:
        """Of every organisation."""
        return requests_named(cls.entity, cls.what)

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Raises pydantic's ValidationError."""
        return cls.model_validate_json(payload)

    def payload(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


class InboundCaller(BaseModel):
    """Who calls, as far as the line tells."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: Annotated[str | None, Field(json_schema_extra=Personal)] = None
    sip_uri: Annotated[str | None, Field(json_schema_extra=Personal)] = None
    name: Annotated[str | None, Field(json_schema_extra=Personal)] = None


class InboundAnswered(Answer):
    """What becomes of a call that came in.

    `connect`: its audio goes to `url`, until the server closes it; an assistant speaks there, or a sentence is said
    and the call ends or leaves. `refused`: there is no place for the call, or nobody it could be for.
    """

    example: ClassVar = {
        "outcome": "connect",
        "call": "0b6c4a34-3f55-4f38-a15e-2f4be0a1f0c7",
        "url": "sealed:v1:gAAAAABp",
    }

    outcome: Literal["connect", "refused"]
    call: str = Field(default="", description="empty = none was made")
    url: str = Field(default="", description="WebSocket of the call's audio, sealed with the cluster key")
    reason: str = Field(default="", description="why no assistant answers, an endedReason of the public API")
    destination: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="where the call will leave for, as in the public API"
    )
    problem: str = Field(default="", description="for a person")


class InboundCall(Request):
    """Somebody calls a stored phone number: who answers?

    Found by `phone_number_id`, else by `number` (the number or SIP address that was called). The answer may take
    as long as the customer's server, which is asked where the number names no assistant.
    """

    entity: ClassVar = "call"
    what: ClassVar = "inbound"
    owner: ClassVar = ("media-ingress",)
    consumer: ClassVar = "control-api"
    answer: ClassVar = InboundAnswered
    within_s: ClassVar = 12.0
    example: ClassVar = {
        "id": "CA9f2c51",
        "number": "+14155550100",
        "caller": {"number": "+14155550123"},
        "transport": "twilio",
        "encoding": "mulaw",
        "sample_rate_hz": 8000,
    }

    id: str = Field(min_length=1, max_length=255, description="the transport's own name of the call: counts once")
    phone_number_id: str | None = None
    number: Annotated[str | None, Field(json_schema_extra=Personal)] = None
    caller: InboundCaller = InboundCaller()
    transport: Carrier = "vapi.sip"
    encoding: Literal["pcm_s16le", "mulaw"] = "mulaw"
    sample_rate_hz: Annotated[int, Field(ge=3_000, le=192_000)] = 8_000
    variables: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="what the line brought along (SIP headers X-…): known to templates"
    )


ALL_REQUESTS: tuple[type[Request], ...] = (InboundCall,)
