"""Hooks: what an assistant does on some occasion of a call. Names, defaults and ranges are the public API's."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.tool import Tool

ENDING: Final = "call.ending"
TIME_ELAPSED: Final = "call.timeElapsed"
ASSISTANT_INTERRUPTED: Final = "assistant.speech.interrupted"
CUSTOMER_INTERRUPTED: Final = "customer.speech.interrupted"
SPEECH_TIMEOUT: Final = "customer.speech.timeout"
MODEL_TIMEOUT: Final = "model.response.timeout"
LOW_CONFIDENCE: Final = "assistant.transcriber.endpointedSpeechLowConfidence"
SESSION_CREATED: Final = "session.created"

Odds = Annotated[float, Field(ge=0, le=1)]


class HookOptions(ApiModel):
    """When a hook acts, and how often; each field belongs to one occasion and is ignored on the others."""

    timeout_seconds: Annotated[float, Field(ge=1, le=1_000)] = 7.5
    trigger_max_count: Annotated[int, Field(ge=1, le=10)] = 3
    trigger_reset_mode: Literal["never", "onUserSpeech"] = "never"
    seconds: Annotated[float | None, Field(ge=1, le=3_600)] = None
    confidence_min: Odds | None = None
    confidence_max: Odds | None = None


class HookFilter(ApiModel):
    """The occasion counts only when the field `key` is one of these."""

    type: str = "oneOf"
    key: str | None = None
    one_of: tuple[Any, ...] = ()


class HookMessage(ApiModel):
    """A message put into the conversation."""

    role: Literal["system", "user", "assistant", "developer"] = "system"
    content: Annotated[str, Field(min_length=1)]


class HookAction(ApiModel):
    """One thing a hook does: `say`, `tool`, `message.add`, and the older `transfer` and `function`."""

    type: str
    exact: str | tuple[str, ...] | None = None
    prompt: Annotated[str | tuple[dict[str, Any], ...] | None, Field(validate_default=True)] = None
    tool: Tool | None = None
    function: dict[str, Any] | None = None
    destination: dict[str, Any] | None = None
    message: Annotated[HookMessage | None, Field(validate_default=True)] = None
    trigger_response_enabled: bool = True

    @field_validator("prompt")
    @classmethod
    def _says_one_thing(cls, prompt: object, info: ValidationInfo) -> object:
        if info.data.get("type") == "say" and (prompt is None) == (info.data.get("exact") is None):
            raise ValueError("or exact must be given, and not both")
        return prompt

    @field_validator("message")
    @classmethod
    def _adds_something(cls, message: HookMessage | None, info: ValidationInfo) -> HookMessage | None:
        if info.data.get("type") == "message.add" and message is None:
            raise ValueError("is required when type is message.add")
        return message

    @property
    def texts(self) -> tuple[str, ...]:
        """The exact words, one or several to choose from."""
        given = (self.exact,) if isinstance(self.exact, str) else self.exact or ()
        return tuple(text.strip() for text in given if text.strip())

    @property
    def prompt_text(self) -> str:
        """The prompt, also when it came as a list of messages."""
        if isinstance(self.prompt, tuple):
            return "\n".join(str(message.get("content", "")) for message in self.prompt).strip()
        return (self.prompt or "").strip()

    @property
    def called_tool(self) -> Tool | None:
        """The tool it calls; the older `function` is one without a type."""
        if self.type == "tool":
            return self.tool
        if self.type == "function" and self.function:
            return Tool.model_validate({"type": "function", **(self.model_extra or {}), "function": self.function})
        return None

    @property
    def transfers_to(self) -> dict[str, Any] | None:
        """Where it takes the call, by `transfer` or by a transferCall tool; None = nowhere."""
        if self.type == "transfer":
            return self.destination
        tool = self.called_tool
        if tool is None or tool.type != "transferCall" or not tool.destinations:
            return None
        return tool.destinations[0].model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


class Hook(ApiModel):
    """On some occasion, do something. An occasion this version does not know is kept and never comes."""

    on: str
    do: tuple[HookAction, ...] = ()
    filters: tuple[HookFilter, ...] = ()
    options: Annotated[HookOptions, Field(validate_default=True)] = HookOptions()

    @field_validator("options")
    @classmethod
    def _has_its_time(cls, options: HookOptions, info: ValidationInfo) -> HookOptions:
        if info.data.get("on") == TIME_ELAPSED and options.seconds is None:
            raise ValueError("seconds is required when on is call.timeElapsed")
        return options
