"""What an assistant does while nobody speaks, and with pressed keys: idle messages, keypad input.

Names, defaults and ranges are the public API's.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel

Delimiter = Literal["#", "*", ""]


class MessagePlan(ApiModel):
    """The older spelling of idle messages: one after the other, each time the caller has been silent that long."""

    idle_messages: tuple[Annotated[str, Field(max_length=1_000)], ...] = ()
    idle_timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 10
    idle_message_max_spoken_count: Annotated[int, Field(ge=1, le=10)] = 3
    idle_message_reset_count_on_user_speech_enabled: bool = False
    silence_timeout_message: Annotated[str | None, Field(max_length=1_000)] = None


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
