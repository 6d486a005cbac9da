"""Who speaks, and how text is made ready to be spoken."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.assistant import Voice, VoiceFallback
from voxbus_control_api.schemas.fields import Json
from voxbus_control_api.schemas.server import NeededServer


class VoiceStandIn(Voice):
    """A voice that takes over; one of the customer's own needs its server."""

    server: NeededServer | None = None  # pyright: ignore[reportIncompatibleVariableOverride]


class VoiceFallbackBody(VoiceFallback):
    """Voices that take over, in this order."""

    voices: tuple[VoiceStandIn, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]


class VoiceBody(Voice):
    """Any provider; `custom-voice` is the customer's own, at `server`."""

    provider: str = "vapi"
    model: str | None = None
    language: str | Json | None = None
    caching_enabled: bool = True
    fallback_plan: VoiceFallbackBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    filler_injection_enabled: bool = False
    server: Annotated[NeededServer | None, Field(validate_default=True)] = None  # pyright: ignore[reportIncompatibleVariableOverride]

    @field_validator("server")
    @classmethod
    def _is_known_of_a_custom_voice(cls, server: NeededServer | None, info: ValidationInfo) -> NeededServer | None:
        if server is None and info.data.get("provider") == "custom-voice":
            raise ValueError("is required when provider is custom-voice")
        return server
