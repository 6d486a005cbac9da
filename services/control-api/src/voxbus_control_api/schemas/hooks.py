"""Something done on an occasion. Names and ranges are the public API's."""

from typing import Annotated, Any

from pydantic import Field

from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.silence import Hook, HookAction
from voxbus_control_api.schemas.fields import Json


class HookFilter(ApiModel):
    """The occasion counts when the field is one of these."""

    type: str = "oneOf"
    key: str | None = None
    one_of: tuple[Any, ...] = ()


class HookActionBody(HookAction):
    """`say`, `tool`, `message.add`, and the older `transfer` and `function`."""

    tool_id: str | None = None
    message: Json | None = None
    trigger_response_enabled: bool = True
    destination: Json | None = None


class HookBody(Hook):
    """An occasion, what it must be like, and what is done then."""

    do: tuple[HookActionBody, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]  # the same, with more
    filters: tuple[HookFilter, ...] = ()
    name: Annotated[str | None, Field(max_length=1000)] = None


class NumberHook(ApiModel):
    """On a phone number: `call.ringing` and `call.ending`."""

    on: str
    do: tuple[Json, ...] | Json = ()
    filters: tuple[HookFilter, ...] = ()
