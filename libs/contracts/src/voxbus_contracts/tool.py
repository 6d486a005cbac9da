"""What the model can call, and what the assistant says while it runs."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from voxbus_contracts.api_model import ApiModel, BackoffPlan, Server
from voxbus_contracts.destination import Destination
from voxbus_contracts.variables import VariableExtractionPlan


class FunctionSchema(ApiModel):
    """What the model is told about a function."""

    name: Annotated[str, Field(max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict[str, Any])


class ToolCondition(ApiModel):
    """Holds for an argument of the call: `param` compared by `operator` (eq, neq, gt, gte, lt, lte) with `value`."""

    param: str = ""
    operator: str = "eq"
    value: Any = None


class ToolContent(ApiModel):
    """The same message in another language."""

    text: str = ""
    language: str = "en"


class ToolMessage(ApiModel):
    """Said at its time: `request-start`, `-complete`, `-failed` or `-response-delayed`; several = one of them is."""

    type: str
    content: str | None = None
    contents: tuple[ToolContent, ...] = ()
    conditions: tuple[ToolCondition, ...] = ()
    blocking: bool = False
    role: Literal["assistant", "system"] = "assistant"
    end_call_after_spoken_enabled: bool = False
    timing_milliseconds: Annotated[float | None, Field(ge=100, le=120_000)] = None

    def text_in(self, language: str) -> str:
        """Its words in the call's language, else those of no language, else the first there are."""
        spoken = language.partition("-")[0].lower()
        fitting = [each.text for each in self.contents if each.language.partition("-")[0].lower() == spoken]
        return next((text for text in (*fitting, self.content or "", *(c.text for c in self.contents)) if text), "")


class ToolParameter(ApiModel):
    """A value sent along that the model neither sees nor chooses; texts are templates."""

    key: str
    value: Any = None


class RejectionPlan(ApiModel):
    """A call of the tool is not made where all conditions hold; each is of type regex, liquid or group."""

    conditions: tuple[dict[str, Any], ...] = ()


class KnowledgeFiles(ApiModel):
    """Files that a query tool looks things up in."""

    name: str = ""
    description: str = ""
    file_ids: tuple[str, ...] = ()


class RemoteTool(ApiModel):
    """Where a tool of an MCP server comes from: which of the assistant's mcp tools, from 0, and its name there."""

    tool: Annotated[int, Field(ge=0)]
    name: str


class Tool(ApiModel):
    """Something the model can call."""

    type: str
    function: FunctionSchema | None = None
    server: Server | None = None
    is_async: Annotated[bool, Field(alias="async")] = False
    server_message: Literal["tool-calls", "function-call"] = "tool-calls"
    """What the server is asked by; an assistant's older `model.functions` by function-call."""
    messages: tuple[ToolMessage, ...] | None = None
    """None = the platform's own lines; none at all = the tool runs in silence."""

    parameters: tuple[ToolParameter, ...] = ()
    variable_extraction_plan: VariableExtractionPlan | None = None
    destinations: tuple[Destination, ...] = ()
    """Of transferCall and handoff."""

    default_result: str | None = None
    rejection_plan: RejectionPlan | None = None
    given_name: Annotated[str | None, Field(alias="name")] = None
    description: str | None = None
    credential_id: str | None = None

    method: str = "POST"
    """Of an apiRequest, like the next five."""
    url: str | None = None
    headers: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 20
    backoff_plan: BackoffPlan | None = None

    knowledge_bases: tuple[KnowledgeFiles, ...] = ()
    metadata: dict[str, Any] | None = None
    tool_messages: tuple[dict[str, Any], ...] = ()
    """Of an mcp tool: `{name, messages}`, what is said of each tool of its server."""
    remote: RemoteTool | None = None
    """Of a tool that an MCP server was found to have; never given by a customer."""

    @property
    def name(self) -> str:
        if self.function:
            return self.function.name
        is_named = self.type == "apiRequest" and self.given_name
        return re.sub(r"[^a-zA-Z0-9_-]", "_", self.given_name or "") if is_named else self.type
