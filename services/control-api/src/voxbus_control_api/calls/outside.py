"""Somebody outside as a destination: a number or a SIP address. Pure."""

from typing import Any, Final

from voxbus_contracts.destination import Destination
from voxbus_control_api.errors import BadRequest

Json = dict[str, Any]

OUTSIDE: Final = ("number", "sip")


def outside(given: Json) -> Json:
    """As the orchestrator reads it. Raises BadRequest, pydantic's ValidationError."""
    destination = Destination.model_validate(given)
    if not destination.address:
        raise BadRequest("destination.number or destination.sipUri must be given")
    return destination.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
