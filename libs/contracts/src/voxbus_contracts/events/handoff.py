"""The caller goes from one assistant to another, or to somebody outside."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from voxbus_contracts.destination import FIRST
from voxbus_contracts.message import Event, Personal, PersonalText, PtsMs


class DestinationResolved(Event, name="destination.resolved", owner="control-api"):
    """Where the call goes, or why nowhere. An assistant that is new to the call is in its configuration by now."""

    example: ClassVar = {"cause": "call_2_1", "destination": {"type": "assistant", "member": "2"}}

    cause: str
    destination: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="as in the public API; `member` is the key of an assistant"
    )
    result: Annotated[str | None, Field(json_schema_extra=Personal)] = Field(
        default=None, description="what the model is told of it"
    )
    message: Annotated[str | None, Field(json_schema_extra=Personal)] = Field(
        default=None, description="said to the caller before"
    )
    error: Annotated[str | None, Field(json_schema_extra=Personal)] = Field(
        default=None, description="what the model is told when there is no destination"
    )


class HandoffCompleted(Event, name="handoff.completed", owner="llm-orchestrator"):
    """Another assistant has taken over the conversation: its model, voice, plans and tools serve the call."""

    example: ClassVar = {
        "from_assistant": "triage",
        "to_assistant": "billing",
        "member": "1",
        "cause": "call_2_1",
        "context": "all",
        "from_utterance_seq": 5,
        "pts_ms": 20400,
    }

    from_assistant: str
    to_assistant: str
    from_assistant_id: str | None = None
    to_assistant_id: str | None = None
    member: str = Field(default=FIRST, description="key of the new assistant in the call's configuration")
    cause: str = Field(default="", description="tool call id, or event id of the command it carries out")
    context: str = Field(default="all", description="what of the conversation the new model is told: a context mode")
    max_messages: int = Field(default=0, ge=0, description="with lastNMessages")
    from_utterance_seq: int = Field(default=1, ge=1, description="from this utterance on it is the new voice")
    result: Annotated[str | None, Field(json_schema_extra=Personal)] = Field(
        default=None, description="what models are told of the tool that asked for it"
    )
    variables: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="taken from the conversation by the destination's variableExtractionPlan"
    )
    pts_ms: PtsMs


class HandoffRefused(Event, name="handoff.refused", owner="llm-orchestrator"):
    """The call stays where it is: there is no such destination, or nobody said in time where it is."""

    example: ClassVar = {"cause": "call_2_1", "reason": "There is no such destination.", "pts_ms": 20400}

    cause: str
    reason: PersonalText = Field(description="what the model is told")
    pts_ms: PtsMs


class CallControlRequested(Event, name="call.control-requested", owner="llm-orchestrator"):
    """The customer's server is to forward or hang up the call itself, as it wished; nobody else does."""

    example: ClassVar = {"request": "forward", "destination": {"type": "number", "number": "+14155550123"}}

    request: Literal["forward", "hang-up"]
    destination: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(default={})
    cause: str = ""
    pts_ms: PtsMs = 0
