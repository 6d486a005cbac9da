"""Who recognizes speech."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.assistant import Transcriber, TranscriberFallback
from voxbus_control_api.schemas.server import NeededServer


class TranscriberStandIn(Transcriber):
    """A recognizer that takes over; one of the customer's own needs its server."""

    server: NeededServer | None = None  # pyright: ignore[reportIncompatibleVariableOverride]


class TranscriberFallbackBody(TranscriberFallback):
    """Recognizers that take over, in this order."""

    transcribers: tuple[TranscriberStandIn, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]


class TranscriberBody(Transcriber):
    """Any provider; `custom-transcriber` is the customer's own, at `server`."""

    provider: str = "vapi"
    languages: tuple[str, ...] = ()
    endpointing: float | None = None
    smart_format: bool | None = None
    turn_taking: Literal["intelligent", "manual"] | None = None
    fallback_plan: TranscriberFallbackBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    server: Annotated[NeededServer | None, Field(validate_default=True)] = None  # pyright: ignore[reportIncompatibleVariableOverride]

    @field_validator("server")
    @classmethod
    def _is_known_of_a_custom_one(cls, server: NeededServer | None, info: ValidationInfo) -> NeededServer | None:
        if server is None and info.data.get("provider") == "custom-transcriber":
            raise ValueError("is required when provider is custom-transcriber")
        return server
