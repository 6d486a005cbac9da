"""Tools by their `type`. A type that is not known here is kept as it is."""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from voxbus_contracts.api_model import ApiModel, BackoffPlan
from voxbus_contracts.tool import FunctionSchema
from voxbus_control_api.schemas.destinations import Destination
from voxbus_control_api.schemas.fields import Json, JsonSchema, Url
from voxbus_control_api.schemas.server import ServerBody
from voxbus_control_api.schemas.tool_messages import (
    RejectionPlan,
    ToolMessage,
    ToolParameter,
    VariableExtractionPlan,
)

Timeout = Annotated[float, Field(ge=1, le=300)]


class Function(FunctionSchema):
    """What the model is told."""

    strict: bool = False


class _Tool(ApiModel):
    """What every tool has."""

    messages: tuple[ToolMessage, ...] = ()
    function: Function | None = None
    rejection_plan: RejectionPlan | None = None
    server: ServerBody | None = None


class FunctionTool(_Tool):
    """Asks the customer's server."""

    type: Literal["function"]
    is_async: Annotated[bool, Field(alias="async")] = False
    server_message: Literal["tool-calls", "function-call"] = "tool-calls"
    parameters: tuple[ToolParameter, ...] = ()
    variable_extraction_plan: VariableExtractionPlan | None = None


class EndCallTool(_Tool):
    """Ends the call."""

    type: Literal["endCall"]


class TransferCallTool(_Tool):
    """Takes the call elsewhere; without destinations the model or the customer's server names one."""

    type: Literal["transferCall"]
    destinations: tuple[Destination, ...] = ()


class HandoffTool(_Tool):
    """Another assistant goes on with the call."""

    type: Literal["handoff"]
    destinations: tuple[Destination, ...] = ()
    default_result: str | None = None


class DtmfTool(_Tool):
    """Presses keys."""

    type: Literal["dtmf"]
    sip_info_dtmf_enabled: bool = False


class ApiRequestTool(_Tool):
    """Makes one HTTP request."""

    type: Literal["apiRequest"]
    method: Literal["POST", "GET", "PUT", "PATCH", "DELETE"]
    url: Url
    name: Annotated[str | None, Field(max_length=40)] = None
    description: str | None = None
    headers: JsonSchema | None = None
    body: JsonSchema | None = None
    parameters: tuple[ToolParameter, ...] = ()
    timeout_seconds: Timeout = 20
    credential_id: str | None = None
    encrypted_paths: tuple[str, ...] = ()
    backoff_plan: BackoffPlan | None = None
    variable_extraction_plan: VariableExtractionPlan | None = None


class QueriedKnowledge(ApiModel):
    """Files that are asked together."""

    name: str
    provider: str = "google"
    description: str = ""
    model: str | None = None
    file_ids: tuple[str, ...] = ()


class QueryTool(_Tool):
    """Looks things up in uploaded files."""

    type: Literal["query"]
    knowledge_bases: tuple[QueriedKnowledge, ...] = ()


class McpTool(_Tool):
    """The tools of an MCP server."""

    type: Literal["mcp"]
    tool_messages: tuple[Json, ...] = ()
    metadata: Json | None = None


class SmsTool(_Tool):
    """Sends a text message by the account of a twilio credential, from the number `metadata.from`."""

    type: Literal["sms"]
    credential_id: str | None = None
    metadata: Json | None = None


class VoicemailTool(_Tool):
    """The model says that it talks to an answering machine."""

    type: Literal["voicemail"]
    beep_detection_enabled: bool = False


class CodeTool(_Tool):
    """Runs TypeScript."""

    type: Literal["code"]
    code: Annotated[str, Field(max_length=50_000)]
    is_async: Annotated[bool, Field(alias="async")] = False
    environment_variables: tuple[dict[str, Any], ...] = ()
    timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 10
    credential_id: str | None = None
    variable_extraction_plan: VariableExtractionPlan | None = None


class SipRequestTool(_Tool):
    """Sends a SIP request inside the call's dialogue."""

    type: Literal["sipRequest"]
    verb: Literal["INFO", "MESSAGE", "NOTIFY"]
    headers: JsonSchema | None = None
    body: JsonSchema | str | None = None


TOOL_TYPES: Final = {
    "function": FunctionTool,
    "endCall": EndCallTool,
    "transferCall": TransferCallTool,
    "handoff": HandoffTool,
    "dtmf": DtmfTool,
    "apiRequest": ApiRequestTool,
    "query": QueryTool,
    "mcp": McpTool,
    "sms": SmsTool,
    "voicemail": VoicemailTool,
    "code": CodeTool,
    "sipRequest": SipRequestTool,
}


class OtherTool(_Tool):
    """Any other type: kept and given back."""

    type: Annotated[str, Field(json_schema_extra={"not": {"enum": [*TOOL_TYPES]}})]


def _tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"~{kind}" if isinstance(kind, str) and kind in TOOL_TYPES else "~other"


ToolBody = Annotated[
    Annotated[FunctionTool, Tag("~function")]
    | Annotated[EndCallTool, Tag("~endCall")]
    | Annotated[TransferCallTool, Tag("~transferCall")]
    | Annotated[HandoffTool, Tag("~handoff")]
    | Annotated[DtmfTool, Tag("~dtmf")]
    | Annotated[ApiRequestTool, Tag("~apiRequest")]
    | Annotated[QueryTool, Tag("~query")]
    | Annotated[McpTool, Tag("~mcp")]
    | Annotated[SmsTool, Tag("~sms")]
    | Annotated[VoicemailTool, Tag("~voicemail")]
    | Annotated[CodeTool, Tag("~code")]
    | Annotated[SipRequestTool, Tag("~sipRequest")]
    | Annotated[OtherTool, Tag("~other")],
    Discriminator(_tag),
]
"""Tags begin with ~ so that they can be told from field names in a problem's path."""
