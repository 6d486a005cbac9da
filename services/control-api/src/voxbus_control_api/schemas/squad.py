"""A squad: assistants that hand a call to each other; the first member begins."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel
from voxbus_control_api.schemas.assistant import AssistantBody, OverridesBody
from voxbus_control_api.schemas.destinations import Destination
from voxbus_control_api.schemas.fields import Name40


class MemberDestination(Destination):
    """Where the member may hand the call; `type` is assistant when nothing is said."""

    type: str = "assistant"  # pyright: ignore[reportIncompatibleVariableOverride]


class SquadMember(ApiModel):
    """A stored assistant or one given here."""

    assistant: AssistantBody | None = None
    assistant_id: Annotated[str | None, Field(validate_default=True)] = None
    assistant_version: str | None = None
    assistant_overrides: OverridesBody | None = None
    assistant_destinations: tuple[MemberDestination, ...] = ()

    @field_validator("assistant_id")
    @classmethod
    def _is_one_assistant(cls, assistant_id: str | None, info: ValidationInfo) -> str | None:
        if assistant_id is None and info.data.get("assistant", ...) is None:
            raise ValueError("or assistant must be given")
        return assistant_id


class SquadBody(ApiModel):
    """A squad as it is posted."""

    name: Name40 | None = None
    members: Annotated[tuple[SquadMember, ...], Field(min_length=1)]
    members_overrides: OverridesBody | None = None
