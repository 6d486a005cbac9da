"""What an assistant does while nobody speaks, and with pressed keys: idle messages, hooks, keypad input.

Names, defaults and ranges are the public API's; hooks on other occasions are kept and do nothing yet.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel

SPEECH_TIMEOUT: Final = "customer.speech.timeout"
Delimiter = Literal["#", "*", ""]


class MessagePlan(ApiModel):
    """The older spelling of idle messages: one after the other, each time the caller has been silent that long."""

    idle_messages: tuple[Annotated[str, Field(max_length=1_000)], ...] = ()
    idle_timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 10
    idle_message_max_spoken_count: Annotated[int, Field(ge=1, le=10)] = 3
    idle_message_reset_count_on_user_speech_enabled: bool = False
    silence_timeout_message: Annotated[str | None, Field(max_length=1_000)] = None


class HookOptions(ApiModel):
    """When a hook on the caller's silence acts, and how often."""

    timeout_seconds: Annotated[float, Field(ge=1, le=1_000)] = 7.5
    trigger_max_count: Annotated[int, Field(ge=1, le=10)] = 3
    trigger_reset_mode: Literal["never", "onUserSpeech"] = "never"


class HookAction(ApiModel):
    """One thing a hook does: `say` exact words or what the model makes of a prompt, or the tool `endCall`."""

    type: str
    exact: str | tuple[str, ...] | None = None
    prompt: Annotated[str | tuple[dict[str, Any], ...] | None, Field(validate_default=True)] = None
    tool: dict[str, Any] | None = None

    @field_validator("prompt")
    @classmethod
    def _says_one_thing(cls, prompt: object, info: ValidationInfo) -> object:
        if info.data.get("type") == "say" and (prompt is None) == (info.data.get("exact") is None):
            raise ValueError("or exact must be given, and not both")
        return prompt

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
    def ends_the_call(self) -> bool:
        return self.type == "tool" and (self.tool or {}).get("type") == "endCall"


class Hook(ApiModel):
    """On some occasion, do something."""

    on: str
    do: tuple[HookAction, ...] = ()
    options: HookOptions = HookOptions()


class KeypadInputPlan(ApiModel):
    """Pressed keys become a message of the caller, at a delimiter or after a pause; timeout 0 = only at a delimiter."""

    enabled: bool = False
    delimiters: Delimiter | tuple[Delimiter, ...] = ()
    timeout_seconds: Annotated[float, Field(ge=0, le=10, validate_default=True)] = 2

    @field_validator("timeout_seconds")
    @classmethod
    def _ends_somehow(cls, seconds: float, info: ValidationInfo) -> float:
        if info.data.get("enabled") and not seconds and not _marks(info.data.get("delimiters", ())):
            raise ValueError("must be greater than 0 when there is no delimiter: an entry would never end")
        return seconds

    @property
    def marks(self) -> frozenset[str]:
        """Keys that end an entry."""
        return _marks(self.delimiters)


def _marks(delimiters: Any) -> frozenset[str]:
    given = (delimiters,) if isinstance(delimiters, str) else delimiters
    return frozenset(mark for mark in given if mark)
