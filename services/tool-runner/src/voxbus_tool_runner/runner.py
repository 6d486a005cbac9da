"""Runs one tool, whatever its type: prepares it, does it within its limit, takes variables from the answer."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from voxbus_contracts import CallRef
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.extraction import extracted
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.asking import told
from voxbus_tool_runner.errors import ToolUnknown
from voxbus_tool_runner.job import Job, Run
from voxbus_tool_runner.known_calls import Configs, KnownCalls
from voxbus_tool_runner.selection import tool_of


class Kind(Protocol):
    """A type of tools."""

    def job(self, run: Run) -> Job:
        """Raises ToolError."""
        ...


class ToolRunner:
    """Prepares and performs; raises only ToolError. `kinds`: by the type of the tool."""

    def __init__(self, configs: Configs, kinds: Mapping[str, Kind], *, now_ms: Callable[[], int] = unix_ms) -> None:
        self._calls = KnownCalls(configs)
        self._kinds = kinds
        self._now_ms = now_ms

    async def config(self, ref: CallRef, member: str) -> CallConfig:
        """As it is while that member has the call. Raises ToolUnknown."""
        return (await self._calls.get(ref, member)).config

    async def prepare(self, ref: CallRef, command: RunTool, traceparent: str) -> Job:
        """Finds the tool and whom it asks; raises ToolUnknown, ServerMissing, ServerRefused, BadArguments."""
        call = await self._calls.get(ref, command.member)
        tool = tool_of(call.config, command)
        kind = self._kinds.get(tool.type)
        if kind is None:
            raise ToolUnknown(f"Tools of type {tool.type} cannot be run here.")
        run = Run(ref, command, call, tool, traceparent, self._now_ms())
        with told(run.timeout_s):
            job = kind.job(run)
        return replace(job, extraction=tool.variable_extraction_plan, known=run.known)

    async def perform(self, job: Job) -> Answer:
        """Raises ServerRefused, ServerUnreachable, ServerTooSlow, BadAnswer, OutcomeUnknown."""
        with told(job.timeout_s):
            async with asyncio.timeout(job.timeout_s):
                answer = await job.act()
        if answer.error is not None:
            return answer
        return replace(answer, variables=extracted(job.extraction, answer.value, job.known, self._now_ms()))
