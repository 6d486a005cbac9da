"""`POST /call/{id}/control`: what a call is told from outside while it goes on."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request

from voxbus_control_api.control_messages import command_of
from voxbus_control_api.errors import Conflict
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.described import described, parameter, ref
from voxbus_control_api.http.monitor_access import CONTROL, reached_call

Json = dict[str, Any]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_TICKET: Final = [parameter("token", {"type": "string"}), parameter("org", {"type": "string"})]

router = APIRouter(prefix="/call", tags=["calls"])


@router.post("/{call_id}/control", **described(ref("Accepted"), body=ref("ControlMessage"), query=_TICKET))
async def control_call(call_id: str, request: Request, api: Services, body: Body) -> Json:
    """Says, mutes, ends …: by the call's own `monitor.controlUrl`, which carries a token, or with a private key.

    What is accepted is on the call's log. With `monitorPlan.controlAuthenticationEnabled` a public key of the
    organisation is needed with the token.
    """
    call = await reached_call(request, api, call_id, CONTROL)
    command = command_of(body)
    if call.has_ended:
        raise Conflict(f"call {call_id} has ended")
    await api.bus.command(call.ref, command)
    return {"status": "accepted"}
