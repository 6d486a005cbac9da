"""What the assistant says while a tool works, and when a tool may not be called."""

from typing import Annotated, Any, Literal

from pydantic import Field

from voxbus_contracts.api_model import ApiModel
from voxbus_control_api.schemas.fields import JsonSchema, Sentence


class Condition(ApiModel):
    """Holds for an argument of the call."""

    param: str
    operator: str = "eq"
    value: Any = None


class ToolMessage(ApiModel):
    """`request-start`, `request-complete`, `request-failed` or `request-response-delayed`."""

    type: str
    content: Sentence | None = None
    contents: tuple[dict[str, Any], ...] = ()
    conditions: tuple[Condition, ...] = ()
    blocking: bool = False
    role: Literal["assistant", "system"] = "assistant"
    end_call_after_spoken_enabled: bool = False
    timing_milliseconds: Annotated[float | None, Field(ge=100, le=120_000)] = None


class RejectionPlan(ApiModel):
    """Calls that fit all conditions are not made."""

    conditions: tuple[dict[str, Any], ...] = ()


class VariableAlias(ApiModel):
    """`value` is a template over what was extracted."""

    key: Annotated[str, Field(max_length=120)]
    value: Annotated[str, Field(max_length=10_000)]


class VariableExtractionPlan(ApiModel):
    """Variables of the call taken from an answer or from the conversation."""

    schema_: Annotated[JsonSchema | None, Field(alias="schema")] = None
    aliases: tuple[VariableAlias, ...] = ()


class ToolParameter(ApiModel):
    """A value sent along that the model does not see."""

    key: str
    value: Any = None
