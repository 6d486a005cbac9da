"""What is asked about a call that is over. Names, defaults and ranges are the public API's."""

from typing import Annotated, Any, Literal

from pydantic import Field

from voxbus_contracts.api_model import ApiModel

Timeout = Annotated[float, Field(ge=1, le=60)]
Rubric = Literal[
    "NumericScale",
    "DescriptiveScale",
    "Checklist",
    "Matrix",
    "PercentageScale",
    "LikertScale",
    "AutomaticRubric",
    "PassFail",
]
Schema = dict[str, Any]


class _Analysis(ApiModel):
    """What every question about a call has; `messages` is the prompt in place of the platform's."""

    messages: tuple[dict[str, Any], ...] = ()
    timeout_seconds: Timeout = 5


class SummaryPlan(_Analysis):
    """What the call was about."""

    enabled: bool = True


class StructuredDataPlan(_Analysis):
    """What was said, as data."""

    enabled: bool = False
    schema_: Annotated[Schema | None, Field(alias="schema")] = None


class KeyedDataPlan(ApiModel):
    """One of several questions for data."""

    key: str
    plan: StructuredDataPlan


class SuccessEvaluationPlan(_Analysis):
    """Whether the call reached its goal."""

    enabled: bool = True
    rubric: Rubric = "PassFail"


class AnalysisPlan(ApiModel):
    """What is asked about a call that is over; a summary and an evaluation are, unless they are switched off."""

    min_messages_threshold: Annotated[float, Field(ge=0)] = 2
    summary_plan: SummaryPlan | None = None
    structured_data_plan: StructuredDataPlan | None = None
    structured_data_multi_plan: tuple[KeyedDataPlan, ...] = ()
    success_evaluation_plan: SuccessEvaluationPlan | None = None


class StructuredOutput(ApiModel):
    """What is read out of a call as data: `ai` asks a model, `regex` searches the transcript."""

    id: str = ""
    type: Literal["ai", "regex"] = "ai"
    name: str = ""
    schema_: Annotated[Schema, Field(alias="schema")] = Field(default_factory=dict[str, Any])
    description: str | None = None
    regex: str | None = None
    model: dict[str, Any] | None = None
