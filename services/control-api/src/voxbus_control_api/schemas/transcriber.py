"""Who recognizes speech."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.assistant import Transcriber
from voxbus_control_api.schemas.fields import Json
from voxbus_control_api.schemas.server import NeededServer

Odds = Annotated[float, Field(ge=0, le=1)]


class TranscriberFallback(ApiModel):
    """Recognizers that take over, in this order."""

    transcribers: tuple[Json, ...] = ()


class TranscriberBody(Transcriber):
    """Any provider; `custom-transcriber` is the customer's own, at `server`."""

    provider: str = "vapi"
    languages: tuple[str, ...] = ()
    confidence_threshold: Odds = 0.4
    endpointing: float | None = None
    smart_format: bool | None = None
    turn_taking: Literal["intelligent", "manual"] | None = None
    fallback_plan: TranscriberFallback | None = None
    server: Annotated[NeededServer | None, Field(validate_default=True)] = None

    @field_validator("server")
    @classmethod
    def _is_known_of_a_custom_one(cls, server: NeededServer | None, info: ValidationInfo) -> NeededServer | None:
        if server is None and info.data.get("provider") == "custom-transcriber":
            raise ValueError("is required when provider is custom-transcriber")
        return server
