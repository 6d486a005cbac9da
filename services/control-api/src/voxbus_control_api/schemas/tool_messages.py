"""What the assistant says while a tool works, and when a tool may not be called."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.pattern import Pattern
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

    @field_validator("conditions")
    @classmethod
    def _can_be_looked_at(cls, conditions: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for condition in conditions:
            _check(condition)
        return conditions


def _check(condition: dict[str, Any]) -> None:
    """Raises ValueError."""
    needed = _NEEDED.get(str(condition.get("type")))
    if needed is None:
        raise ValueError(f"type must be one of {', '.join(_NEEDED)}")
    name, kind = needed
    value = condition.get(name)
    is_group = kind is list
    if not isinstance(value, kind) or (is_group and condition.get("operator") not in {"AND", "OR"}):
        raise ValueError("operator must be AND or OR, conditions a list" if is_group else f"{name} must be a string")
    if name == "regex":
        Pattern(str(value))
    for each in value if isinstance(value, list) else ():
        _check(each if isinstance(each, dict) else {})


_NEEDED: Final = {"regex": ("regex", str), "liquid": ("liquid", str), "group": ("conditions", list)}


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
