"""What was found out about a call after its end: AnalysisMade*, AnalysisCompleted."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from voxbus_contracts.message import Event, Personal


class AnalysisMade(Event, name="analysis.made", owner="llm-orchestrator"):
    """One question about the call is answered, or is not and why; each has its own event id, so it counts once."""

    example: ClassVar = {"part": "summary", "result": {"value": "The caller asked where order 4711 was."}}

    part: str = Field(
        description="summary | structuredData | structuredDataMulti:<key> | successEvaluation | structuredOutput:<id>"
    )
    output_name: str = Field(default="", description="of a structured output")
    result: Annotated[dict[str, Any], Field(json_schema_extra=Personal)] = Field(
        default={}, description="the answer under `value`; empty = there is none"
    )
    problem: str = Field(default="", description="why there is no answer")
    run: str = Field(default="", description="the request it was asked for by; empty = it belongs to the call")
    is_preview: bool = Field(default=False, description="the call's record stays as it is")


class AnalysisCompleted(Event, name="analysis.completed", owner="llm-orchestrator"):
    """Everything that was to be asked about the call has been, and its usage is recorded."""

    example: ClassVar = {"parts": 2, "prompt_tokens": 812, "completion_tokens": 61}

    parts: int = Field(ge=0, description="how many analysis.made there are")
    skipped: dict[str, str] = Field(default={}, description="what was not asked, and why")
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
