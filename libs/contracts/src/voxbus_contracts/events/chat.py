"""A turn by text: ChatRequested, (reply and tool events, ChatWorded*)*, ChatEnded. On the bus a chat is named like a
call, by its id, and llm-orchestrator is the only stage that claims it.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxbus_contracts.message import Event, Personal, PersonalText


class ChatToolCall(BaseModel):
    """A function the assistant called."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    arguments: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = {}


class ChatLine(BaseModel):
    """One message of the conversation. `tool_calls` only of the assistant, the three last only of a tool's answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["system", "user", "assistant", "tool"]
    content: PersonalText = ""
    tool_calls: tuple[ChatToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""
    failed: bool = False


class ChatRequested(Event, name="chat.requested", owner="control-api"):
    """Somebody wrote to an assistant and waits for the answer."""

    example: ClassVar = {
        "lines": [{"role": "user", "content": "Where is my order?"}],
        "answer_by_ms": 1764000060000,
        "assistant_id": "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3b01",
    }

    lines: tuple[ChatLine, ...] = Field(description="the conversation before it and what was written, without prompt")
    answer_by_ms: int = Field(ge=0, description="unix ms; what is not answered by then has failed")
    assistant_id: str | None = None
    session_id: str | None = None


class ChatWorded(Event, name="chat.worded", owner="llm-orchestrator"):
    """A piece of the answer, as the model said it; logged before anybody reads it, so it is never said twice."""

    example: ClassVar = {"reply": 1, "piece": 1, "text": "It ships on Friday."}

    reply: int = Field(ge=1)
    piece: int = Field(ge=1, description="numbers the pieces of a reply from 1")
    text: PersonalText


class ChatEnded(Event, name="chat.ended", owner=("llm-orchestrator", "control-api")):
    """The chat is answered, or has failed; the first one stored counts.

    control-api publishes it only for a chat that was not over long after its time.
    """

    example: ClassVar = {"lines": [{"role": "assistant", "content": "It ships on Friday."}]}

    lines: tuple[ChatLine, ...] = Field(default=(), description="what the assistant said and which tools it ran")
    end_call: bool = Field(default=False, description="the assistant considers the conversation over")
    error: str = Field(default="", description="code of what went wrong; empty = it is answered")
    detail: str = Field(default="", description="what went wrong, for a person; neither secrets nor personal text")
