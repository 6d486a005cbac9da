"""One call or chat from claim to end, and what an operator may ask of it."""

from collections.abc import Callable
from typing import Any, Final

import grpc
from grpc.aio import ServicerContext
from pydantic import SecretStr

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import AddMessage, EndCall, SayOnCall
from voxbus_contracts.message import Command
from voxbus_llm_orchestrator import apply
from voxbus_llm_orchestrator.cast import Cast
from voxbus_llm_orchestrator.chat import state as chat_state
from voxbus_llm_orchestrator.chat.shell import ChatShell
from voxbus_llm_orchestrator.endpointing_server import EndpointingServer
from voxbus_llm_orchestrator.models import Models
from voxbus_llm_orchestrator.settings import Settings
from voxbus_llm_orchestrator.shell import CallShell
from voxbus_proto.control.v1 import control_pb2, control_pb2_grpc
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.sealing import open_config
from voxbus_runtime.service import Runtime

INTERESTS: Final = apply.INTERESTS | chat_state.INTERESTS
"""What is read of calls and chats."""


def serving(
    runtime: Runtime[Settings], models: Models, endpointing_server: EndpointingServer
) -> Callable[[OwnedCall], Any]:
    """`serve` for the stage's worker."""
    settings = runtime.settings

    def open_assistant(assistant: Assistant) -> Assistant:
        return opened(assistant, settings.cluster_key)

    async def serve(call: OwnedCall) -> None:
        if call.config.is_chat:
            await ChatShell(call, open_assistant(call.config.assistant), models).run()
            return
        cast = Cast(call.config, open_assistant, settings.end_of_turn_silence_ms)
        await CallShell(call, cast, models, runtime.peers, endpointing_server).run()

    return serve


def opened(assistant: Assistant, cluster_key: SecretStr | None) -> Assistant:
    """With its secrets readable. What was not given stays not given: plans count by being there."""
    given = assistant.model_dump(by_alias=True, exclude_unset=True)
    return Assistant.model_validate(open_config(given, cluster_key))


class CallControl(control_pb2_grpc.CallControlServicer):
    """gRPC: say, add a message, end. Requests become commands on the bus, so that they are logged like any other."""

    def __init__(self, owned: Callable[[CallRef], OwnedCall | None]) -> None:
        self._owned = owned

    async def Say(  # noqa: N802 - the name comes from the protocol
        self, request: control_pb2.SayRequest, context: ServicerContext[Any, Any]
    ) -> control_pb2.CallReply:
        command = SayOnCall(
            content=request.content,
            end_call_after_spoken=request.end_call_after_spoken,
            interrupt_assistant=request.interrupt_assistant,
        )
        return await self._order(request.org, request.call, command, context)

    async def AddMessage(  # noqa: N802
        self, request: control_pb2.AddMessageRequest, context: ServicerContext[Any, Any]
    ) -> control_pb2.CallReply:
        if request.role not in ("system", "user", "assistant"):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "role must be system, user or assistant")
        command = AddMessage.model_validate(
            {"role": request.role, "content": request.content, "trigger_response": request.trigger_response}
        )
        return await self._order(request.org, request.call, command, context)

    async def End(  # noqa: N802
        self, request: control_pb2.EndRequest, context: ServicerContext[Any, Any]
    ) -> control_pb2.CallReply:
        command = EndCall(reason=request.reason or "manually-canceled")
        return await self._order(request.org, request.call, command, context)

    async def _order(
        self, org: str, call: str, command: Command, context: ServicerContext[Any, Any]
    ) -> control_pb2.CallReply:
        try:
            ref = CallRef(org, call)
        except ValueError as wrong:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(wrong))
        owned = self._owned(ref)
        if owned is None:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"this worker does not own call {call}; OWNERS says who does"
            )
        owned.order(command)
        return control_pb2.CallReply()
