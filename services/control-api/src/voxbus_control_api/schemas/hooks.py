"""Something done on an occasion. Names and ranges are the public API's."""

from typing import Annotated

from pydantic import Field

from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.hook import Hook, HookAction, HookFilter
from voxbus_control_api.schemas.fields import Json
from voxbus_control_api.schemas.tools import ToolBody


class HookActionBody(HookAction):
    """`say`, `tool`, `message.add`, and the older `transfer` and `function`."""

    tool: ToolBody | None = None  # pyright: ignore[reportIncompatibleVariableOverride]  # the same, with more
    tool_id: str | None = None
    destination: Json | None = None


class HookBody(Hook):
    """An occasion, what it must be like, and what is done then."""

    do: tuple[HookActionBody, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]  # the same, with more
    name: Annotated[str | None, Field(max_length=1000)] = None


class NumberHook(ApiModel):
    """On a phone number: `call.ringing` and `call.ending`."""

    on: str
    do: tuple[Json, ...] | Json = ()
    filters: tuple[HookFilter, ...] = ()
