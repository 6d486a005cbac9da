"""What the tool runner does with each command: run the tool, say how it went."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol

from structlog.stdlib import BoundLogger

from voxbus_bus import EventBroker, FactPublisher, Received
from voxbus_contracts import CallRef
from voxbus_contracts.commands import DiscoverTools, RunTool
from voxbus_contracts.events import DiscoveredTool, ToolFinished, ToolsDiscovered
from voxbus_contracts.streams import TOOL_RUNNER
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.telemetry import PastSpan, child_of, record
from voxbus_tool_runner import metrics
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.errors import StillRunning, ToolError
from voxbus_tool_runner.runner import ToolRunner

_TRIES: Final = 3
"""After so many unexpected failures (the bus away, a bug) the model is told that the tool failed."""


class Answered(Protocol):
    """Tells whether a command that comes again was answered the first time."""

    async def __call__(self, ref: CallRef, tool_call_id: str) -> bool: ...


class Discovery(Protocol):
    """What the MCP server behind one of the assistant's tools has to offer. Raises ToolError."""

    async def __call__(self, ref: CallRef, command: DiscoverTools) -> tuple[DiscoveredTool, ...]: ...


class ToolCommands:
    """Runs each command once, however often it is delivered; different commands never wait for each other."""

    def __init__(
        self,
        runner: ToolRunner,
        discovery: Discovery,
        publisher: FactPublisher,
        answered: Answered,
        log: BoundLogger,
    ) -> None:
        self._runner = runner
        self._discovery = discovery
        self._publisher = publisher
        self._answered = answered
        self._log = log
        self._running: set[str] = set()

    def add_to(self, broker: EventBroker, *, workers: int) -> None:
        broker.consumes(TOOL_RUNNER, workers=workers, at_once=True)(self.on_command)

    async def on_command(self, received: Received) -> None:
        command = received.message
        if isinstance(command, DiscoverTools):
            await self._discover(received, command)
            return
        assert isinstance(command, RunTool)
        if received.delivery > 1 and await self._is_done(received, command):
            return
        key = event_id_of(received.ref, command.tool_call_id)
        began_ms = unix_ms()
        duration = metrics.DURATION_S.labels(metrics.TOOL_NAMES.label(command.tool_name))
        with self._alone(key), metrics.RUNNING.track_inprogress(), duration.time():
            await self._run(received, command)
        attributes = {"voxbus.tool": command.tool_name, "voxbus.tool_call_id": command.tool_call_id}
        span = PastSpan(metrics.TOOL_SPAN, began_ms, unix_ms(), attributes)
        record(span, parent=received.envelope.traceparent, own=_traceparent_of(received, command))

    async def _discover(self, received: Received, command: DiscoverTools) -> None:
        """Asking twice does no harm; the first answer that is stored counts."""
        tools: tuple[DiscoveredTool, ...] = ()
        error: str | None = None
        try:
            tools = await self._discovery(received.ref, command)
        except ToolError as failed:
            self._log.warning("tools of a server cannot be found", call=received.ref.call, code=failed.code)
            error = str(failed)
        found = ToolsDiscovered(tool=command.tool, member=command.member, tools=tools, error=error)
        await self._publisher.publish_stored(
            received.ref,
            found,
            event_id=f"tool-discovered.{received.ref.call}.{command.member}.{command.tool}",
            traceparent=received.envelope.traceparent,
        )

    async def _is_done(self, received: Received, command: RunTool) -> bool:
        """An asynchronous tool is answered before its server is asked: who comes after a death in between asks it."""
        if not await self._answered(received.ref, command.tool_call_id):
            return False
        try:
            job = await self._runner.prepare(received.ref, command, _traceparent_of(received, command))
        except ToolError:
            return True
        return not job.is_async

    @contextmanager
    def _alone(self, key: str) -> Generator[None]:
        """Raises StillRunning while the same tool call runs."""
        if key in self._running:
            raise StillRunning("this tool call is still running")
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)

    async def _run(self, received: Received, command: RunTool) -> None:
        """An asynchronous tool is answered before its server is asked: the conversation does not wait for it."""
        started_s = time.monotonic()
        finish = partial(self._finish, received, command, started_s)
        try:
            job = await self._runner.prepare(received.ref, command, _traceparent_of(received, command))
            if job.is_async:
                await finish(Answer(result="Success."))
            answer = await self._runner.perform(job)
        except ToolError as failed:
            answer = self._failure(received, command, failed)
        except Exception as unexpected:
            if received.delivery < _TRIES:
                raise
            answer = self._failure(received, command, unexpected)
        else:
            metrics.RUNS.labels("ok" if answer.error is None else "error-answered").inc()
        await finish(answer)

    def _failure(self, received: Received, command: RunTool, failure: Exception) -> Answer:
        code = failure.code if isinstance(failure, ToolError) else type(failure).__name__
        self._log.warning("a tool failed", call=received.ref.call, tool=command.tool_name, code=code)
        metrics.RUNS.labels(code).inc()
        return Answer(error=str(failure) if isinstance(failure, ToolError) else "The tool could not be run.")

    async def _finish(self, received: Received, command: RunTool, started_s: float, answer: Answer) -> None:
        finished = ToolFinished(
            tool_call_id=command.tool_call_id,
            tool_name=command.tool_name,
            result=answer.result,
            error=answer.error,
            duration_ms=max(0, round((time.monotonic() - started_s) * 1000)),
            message=answer.message,
            variables=answer.variables,
        )
        event_id = event_id_of(received.ref, command.tool_call_id)
        await self._publisher.publish_stored(
            received.ref, finished, event_id=event_id, traceparent=received.envelope.traceparent
        )


def event_id_of(ref: CallRef, tool_call_id: str) -> str:
    """The same for every run of one tool call: only the first answer counts."""
    return f"tool.{ref.call}.{tool_call_id}"


def _traceparent_of(received: Received, command: RunTool) -> str:
    """The run's span; the tool's server may continue the trace under it."""
    return child_of(received.envelope.traceparent, "tool", command.tool_call_id)
