"""What is read out of a call that is over, as data."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.pattern import Pattern
from voxbus_control_api.schemas.fields import Json, Name40
from voxbus_control_api.schemas.json_schema import checked_schema

_FLAGS: Final = {"i": "ignore-case", "m": "multi-line"}


class StructuredOutputBody(ApiModel):
    """`ai` asks a model, `regex` searches the transcript."""

    type: Literal["ai", "regex"] = "ai"
    name: Annotated[Name40, Field(min_length=1)]
    schema_: Annotated[Json, AfterValidator(checked_schema), Field(alias="schema", description="a JSON Schema")]
    description: str | None = None
    regex: str | None = None
    model: Json | None = None
    compliance_plan: Json | None = None
    conditions: tuple[dict[str, Any], ...] = ()
    assistant_ids: tuple[str, ...] = ()
    workflow_ids: tuple[str, ...] = ()

    @field_validator("regex")
    @classmethod
    def _can_be_used(cls, regex: str | None, info: ValidationInfo) -> str | None:
        if regex is not None and info.data.get("type") == "regex":
            pattern_of(regex)
        return regex


def pattern_of(regex: str) -> Pattern:
    """From `\\d+` or `/\\d+/i`. Raises BadPattern."""
    if regex.startswith("/") and (end := regex.rfind("/")) > 0:
        return Pattern(regex[1:end], [option for flag, option in _FLAGS.items() if flag in regex[end + 1 :]])
    return Pattern(regex)


class RunBody(ApiModel):
    """Which structured output is read out of which calls."""

    call_ids: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]
    structured_output_id: str | None = None
    structured_output: StructuredOutputBody | None = None
    preview_enabled: bool = False
