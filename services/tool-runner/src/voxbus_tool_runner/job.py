"""One tool call, ready to be run, and what every type of tool is given to make it so."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from voxbus_contracts import CallRef
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_contracts.tool import Tool, VariableExtractionPlan
from voxbus_runtime.templates import filled
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.known_calls import KnownCall


@dataclass(frozen=True, slots=True)
class Run:
    """A tool call as it was ordered. `traceparent` is for whoever is asked."""

    ref: CallRef
    command: RunTool
    call: KnownCall
    tool: Tool
    traceparent: str
    now_ms: int

    @property
    def config(self) -> CallConfig:
        return self.call.config

    @property
    def key(self) -> str:
        """The same whoever runs this tool call, however often: the idempotency key."""
        return f"{self.ref.call}:{self.command.tool_call_id}"

    @property
    def timeout_s(self) -> float:
        """What the orchestrator waits for."""
        return self.command.timeout_ms / 1000

    @property
    def known(self) -> dict[str, Any]:
        """What templates know of the call; `toolCall.key` is the key in hex digits, for servers that take an id."""
        key = hashlib.sha256(self.key.encode()).hexdigest()[:32]
        own = {"toolCall": {"id": self.command.tool_call_id, "key": key}}
        return {**self.call.variables, **own, **self.command.variables}

    def filled(self, value: Any, more: Mapping[str, Any] | None = None) -> Any:
        """A JSON value with every template in it rendered; "now" is when the call was made."""
        return filled(value, {**self.known, **(more or {})}, self.config.created_at_ms)

    @property
    def static(self) -> dict[str, Any]:
        """What the tool always sends along."""
        return {each.key: self.filled(each.value, self.command.arguments) for each in self.tool.parameters}

    @property
    def headers(self) -> dict[str, str]:
        """Who asks, and which call it is."""
        named = {
            "user-agent": "voxbus-tool-runner",
            "idempotency-key": self.key,
            "x-call-id": self.ref.call,
            "traceparent": self.traceparent,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Job:
    """`act` does it; it raises ToolError and has to be done within `timeout_s`, whatever the other side does."""

    act: Callable[[], Awaitable[Answer]]
    timeout_s: float
    is_async: bool = False
    extraction: VariableExtractionPlan | None = None
    known: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Variables that templates of the extraction know."""
