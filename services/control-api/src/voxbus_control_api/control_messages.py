"""What may be posted to a call's control address → the command it means. Pure."""

from typing import Any

from voxbus_contracts import Command
from voxbus_contracts.commands import EndCall
from voxbus_contracts.told.inbound import BadInbound, Hangup, read_inbound
from voxbus_control_api.errors import BadRequest


def command_of(body: dict[str, Any]) -> Command:
    """Raises BadRequest naming every field that is wrong."""
    try:
        inbound = read_inbound(body)
    except BadInbound as wrong:
        raise BadRequest(*(each.sentence for each in wrong.problems)) from None
    return EndCall(reason="manually-canceled") if isinstance(inbound, Hangup) else inbound
