"""The life of a call: queued → ringing → started → (transferred) → ended, each at most once."""

from typing import Annotated, ClassVar

from pydantic import Field

from voxbus_contracts.message import Event, Personal, PtsMs


class CallQueued(Event, name="call.queued", owner="control-api"):
    """A call was asked for and has its configuration; nobody is connected yet."""

    example: ClassVar = {
        "call_type": "vapi.websocketCall",
        "transport": "vapi.websocket",
        "config_hash": "9f2c51",
        "assistant_id": "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3b01",
    }

    call_type: str
    transport: str
    config_hash: str = Field(description="hash of the entry in the CONFIGS bucket")
    assistant_id: str | None = None


class CallRinging(Event, name="call.ringing", owner="media-ingress"):
    """The caller's transport is connected; the stages have been asked to claim the call."""

    example: ClassVar = {}


class CallStarted(Event, name="call.started", owner="media-ingress"):
    """Every required stage has claimed the call: it is answered."""

    example: ClassVar = {"pts_ms": 0, "setup_ms": 41}

    pts_ms: PtsMs
    setup_ms: int = Field(ge=0, description="from the transport's attachment to the last claim, ms")


class CallTransferred(Event, name="call.transferred", owner="llm-orchestrator"):
    """The caller was handed to somebody outside."""

    example: ClassVar = {"destination": "sip:desk@example.org", "mode": "blind-transfer"}

    destination: Annotated[str, Field(json_schema_extra=Personal)]
    mode: str
    cause: str = Field(default="", description="tool call id, or event id of the command it carries out")


class CallEnded(Event, name="call.ended", owner=("llm-orchestrator", "control-api")):
    """The call is over. Published once, by the owner of llm-orchestrator.

    control-api publishes it only for a call that no orchestrator ever claimed, after taking that key in OWNERS itself.
    """

    example: ClassVar = {"pts_ms": 61220, "reason": "customer-ended-call"}

    pts_ms: PtsMs
    reason: str = Field(description="an endedReason of the public API")
    message: str | None = Field(default=None, description="what to do about it, for a person")
