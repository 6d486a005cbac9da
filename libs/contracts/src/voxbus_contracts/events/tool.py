"""Function calls of the model."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxbus_contracts.destination import FIRST
from voxbus_contracts.message import Event, Personal, PersonalText, PtsMs


class ToolRequested(Event, name="tool.requested", owner="llm-orchestrator"):
    """The model wants a tool run; logged before the command, so that its id is the idempotency key."""

    example: ClassVar = {
        "tool_call_id": "call_2_1",
        "tool_name": "order_status",
        "arguments": {"order": "4711"},
        "reply": 2,
        "turn": 1,
    }

    tool_call_id: str
    tool_name: str
    arguments: Annotated[dict[str, Any], Field(json_schema_extra=Personal)]
    reply: int
    turn: int
    pts_ms: PtsMs = 0


class ToolGivenUp(Event, name="tool.given-up", owner="llm-orchestrator"):
    """Nothing was heard of a tool within its limit: the model is told so, and a later answer changes nothing."""

    example: ClassVar = {"tool_call_id": "call_2_1", "tool_name": "order_status", "pts_ms": 26400}

    tool_call_id: str
    tool_name: str
    pts_ms: PtsMs


class ToolSays(BaseModel):
    """What a tool's server wants the caller to hear, or the model to be told, when it has answered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    content: PersonalText
    role: Literal["assistant", "system"] = "assistant"
    end_call_after_spoken: bool = False


class ToolFinished(Event, name="tool.finished", owner=("tool-runner", "llm-orchestrator")):
    """The tool answered, or failed within its limit; of what the call itself does, or rejects, the owner says so."""

    example: ClassVar = {
        "tool_call_id": "call_2_1",
        "tool_name": "order_status",
        "result": "Order 4711 ships on Friday.",
        "duration_ms": 14,
    }

    tool_call_id: str
    tool_name: str
    result: Annotated[str | None, Field(json_schema_extra=Personal)] = None
    error: Annotated[str | None, Field(json_schema_extra=Personal)] = Field(
        default=None, description="what the model is told when there is no result"
    )
    duration_ms: int = Field(ge=0)
    variables: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="taken from the answer by the tool's variableExtractionPlan"
    )
    message: ToolSays | None = Field(default=None, description="its server's words, in place of the tool's messages")


class ToolAttempted(Event, name="tool.attempted", owner="tool-runner"):
    """About to do what its receiver could not tell from a second time: whoever finds this does not do it again."""

    example: ClassVar = {"tool_call_id": "call_2_1", "tool_name": "sms", "worker": "tool-runner-3f9a01"}

    tool_call_id: str
    tool_name: str
    worker: str = Field(description="the process that does it; the first of a tool call counts")


class DiscoveredTool(BaseModel):
    """A tool of an MCP server, under the name the model knows it by."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    remote_name: str = Field(description="its name there")
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict[str, Any])


class ToolsDiscovered(Event, name="tool.discovered", owner="tool-runner"):
    """What an MCP server of the assistant has to offer; nothing and an error where it could not be asked."""

    example: ClassVar = {
        "tool": 0,
        "tools": [{"name": "find_order", "remote_name": "find_order", "description": "Finds an order"}],
    }

    tool: int = Field(ge=0, description="which of the assistant's mcp tools, from 0")
    member: str = Field(default=FIRST, description="key of the assistant whose tool it is")
    tools: tuple[DiscoveredTool, ...] = ()
    error: str | None = None


class KeysPressed(Event, name="dtmf.sent", owner="llm-orchestrator"):
    """Keys were pressed for the other side: their tones were played into the call."""

    example: ClassVar = {"tool_call_id": "call_2_1", "digits": "1w2#", "method": "in-band", "pts_ms": 9100}

    tool_call_id: str
    digits: PersonalText
    method: Literal["in-band"] = "in-band"
    pts_ms: PtsMs
