"""gRPC CallControl: mute and unmute of a call whose transport is here."""

from typing import Any, Final, Literal

import grpc
from grpc.aio import ServicerContext

from voxbus_contracts import CallRef
from voxbus_contracts.commands import ControlCall
from voxbus_media_ingress.server import MediaServer
from voxbus_proto.control.v1 import control_pb2, control_pb2_grpc

_Mute = Literal["mute-assistant", "unmute-assistant", "mute-customer", "unmute-customer"]
_CONTROLS: Final[dict[tuple[int, bool], _Mute]] = {
    (control_pb2.MuteRequest.SIDE_CUSTOMER, True): "mute-customer",
    (control_pb2.MuteRequest.SIDE_CUSTOMER, False): "unmute-customer",
    (control_pb2.MuteRequest.SIDE_ASSISTANT, True): "mute-assistant",
    (control_pb2.MuteRequest.SIDE_ASSISTANT, False): "unmute-assistant",
}


class CallControl(control_pb2_grpc.CallControlServicer):
    """Say, AddMessage and End belong to llm-orchestrator and answer UNIMPLEMENTED here."""

    def __init__(self, server: MediaServer) -> None:
        self._server = server

    async def Mute(  # noqa: N802 - the name comes from the protocol
        self, request: control_pb2.MuteRequest, context: ServicerContext[Any, Any]
    ) -> control_pb2.CallReply:
        control = _CONTROLS.get((request.side, request.muted))
        if control is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "side: SIDE_CUSTOMER or SIDE_ASSISTANT")
        try:
            attachment = self._server.attached(CallRef(request.org, request.call))
        except ValueError as wrong:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(wrong))
        if attachment is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "the transport of this call is not here")
        if attachment.is_over:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the call has ended")
        attachment.order(ControlCall(control=control))
        return control_pb2.CallReply()
