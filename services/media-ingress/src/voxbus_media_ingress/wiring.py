"""Puts the service together: the WebSocket server and the control of its calls."""

from voxbus_media_ingress.control import CallControl
from voxbus_media_ingress.left_keys import remove_left_keys_for_ever
from voxbus_media_ingress.server import MediaServer
from voxbus_media_ingress.settings import Settings
from voxbus_proto.control.v1 import control_pb2_grpc
from voxbus_runtime.service import Runtime


async def wire(runtime: Runtime[Settings]) -> MediaServer:
    server = MediaServer(runtime)
    control_pb2_grpc.add_CallControlServicer_to_server(CallControl(server), runtime.grpc_server)
    runtime.spawn(remove_left_keys_for_ever(runtime.bus), "left-keys")
    return server
