"""gRPC: health, reflection and WorkerControl, the same on every service."""

from typing import TYPE_CHECKING, Any, Final

from grpc.aio import ServicerContext
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import generate_latest

from voxbus_proto.control.v1 import control_pb2, control_pb2_grpc

if TYPE_CHECKING:
    from voxbus_runtime.service import Component, Runtime

_WORKER_CONTROL: Final = "voxbus_proto.control.v1.WorkerControl"
_HEALTH: Final = "grpc.health.v1.Health"
_CALL_CONTROL: Final = "voxbus_proto.control.v1.CallControl"


class WorkerControl(control_pb2_grpc.WorkerControlServicer):
    """Status and drain of this worker."""

    def __init__(self, runtime: "Runtime[Any]", component: "Component", health: "Health") -> None:
        self._runtime = runtime
        self._component = component
        self._health = health

    async def Status(  # noqa: N802 - the name comes from the protocol
        self, request: control_pb2.StatusRequest, context: ServicerContext[Any, Any]
    ) -> control_pb2.StatusReply:
        return control_pb2.StatusReply(
            stage=self._runtime.name,
            worker=self._runtime.worker,
            state=self._runtime.state,
            slots=self._component.slots,
            calls=self._component.calls(),
            loop_lag_ms=self._runtime.lag_ms,
        )

    async def Drain(  # noqa: N802
        self, request: control_pb2.DrainRequest, context: ServicerContext[Any, Any]
    ) -> control_pb2.DrainReply:
        self._runtime.state = "draining"
        await self._health.draining()
        released = await self._component.drain()
        if not request.stay:
            self._runtime.stopping.set()
        return control_pb2.DrainReply(released=released)

    async def Metrics(  # noqa: N802
        self, request: control_pb2.MetricsRequest, context: ServicerContext[Any, Any]
    ) -> control_pb2.MetricsReply:
        return control_pb2.MetricsReply(text=generate_latest().decode())


class Health:
    """The standard health service of this process."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue] - exported at run time

    async def serving(self) -> None:
        await self._set(health_pb2.HealthCheckResponse.SERVING)

    async def draining(self) -> None:
        """Nothing new should be sent here."""
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def _set(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in ("", _WORKER_CONTROL):
            await self.servicer.set(name, status)


def add_control(runtime: "Runtime[Any]", component: "Component") -> Health:
    """Registers everything; call before the server starts."""
    mine = Health()
    health_pb2_grpc.add_HealthServicer_to_server(mine.servicer, runtime.grpc_server)
    control_pb2_grpc.add_WorkerControlServicer_to_server(WorkerControl(runtime, component, mine), runtime.grpc_server)
    names = (_WORKER_CONTROL, _CALL_CONTROL, _HEALTH, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, runtime.grpc_server)
    return mine
