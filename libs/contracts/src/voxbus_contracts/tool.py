"""What the model can call, and what the assistant says while it runs."""

from typing import Annotated, Any, Literal

from pydantic import Field

from voxbus_contracts.api_model import ApiModel, Server
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


class Tool(ApiModel):
    """Something the model can call."""

    type: str
    function: FunctionSchema | None = None
    server: Server | None = None
    is_async: Annotated[bool, Field(alias="async")] = False
    messages: tuple[ToolMessage, ...] | None = None
    """None = the platform's own lines; none at all = the tool runs in silence."""

    parameters: tuple[ToolParameter, ...] = ()
    variable_extraction_plan: VariableExtractionPlan | None = None
    destinations: tuple[Destination, ...] = ()
    """Of transferCall and handoff."""

    default_result: str | None = None

    @property
    def name(self) -> str:
        return self.function.name if self.function else self.type
