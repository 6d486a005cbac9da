"""Which server runs a tool, and what it is asked. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from voxbus_contracts.api_model import Server
from voxbus_contracts.assistant import Tool
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_tool_runner.errors import ServerMissing, ToolUnknown

_SEALED: Final = "sealed:"


@dataclass(frozen=True, slots=True)
class Target:
    """A tool and the server that runs it; secrets are still sealed. `timeout_ms` is the stricter of both limits."""

    tool: Tool
    server: Server
    url: str
    timeout_ms: int


def target_of(config: CallConfig, command: RunTool) -> Target:
    """The tool's own server, else the assistant's. Raises ToolUnknown or ServerMissing."""
    assistant = config.assistant
    tool = next((tool for tool in assistant.model.tools if tool.name == command.tool_name), None)
    if tool is None:
        raise ToolUnknown(f"There is no tool called {command.tool_name}.")
    if tool.type != "function":
        raise ToolUnknown(f"Tools of type {tool.type} cannot be run here.")
    server = next((each for each in (tool.server, assistant.server) if each and each.url), None)
    if server is None or not server.url:
        raise ServerMissing(f"The tool {command.tool_name} has no server.")
    return Target(tool, server, server.url, min(command.timeout_ms, int(server.timeout_seconds * 1000)))


def message_of(config: CallConfig, command: RunTool, tool: Tool, now_ms: int) -> dict[str, Any]:
    """The body of the request: every shape of a tool call that servers in the wild read."""
    tool_call: dict[str, Any] = {
        "id": command.tool_call_id,
        "type": "function",
        "function": {"name": command.tool_name, "arguments": command.arguments},
        "name": command.tool_name,
        "arguments": command.arguments,
        "parameters": command.arguments,
    }
    described = _shown(tool.model_dump(by_alias=True, exclude_none=True))
    return {
        "message": {
            "type": "tool-calls",
            "timestamp": now_ms,
            "toolCallList": [tool_call],
            "toolCalls": [tool_call],
            "toolWithToolCallList": [{"messages": [], **described, "toolCall": tool_call}],
            "call": _call(config),
            "assistant": _assistant(config),
            "artifact": {},
        }
    }


def _call(config: CallConfig) -> dict[str, Any]:
    call = {
        "id": config.call,
        "orgId": config.org,
        "type": config.call_type,
        "status": "in-progress",
        "assistantId": config.assistant_id,
        "assistantOverrides": {"variableValues": config.variables} if config.variables else None,
    }
    return {name: value for name, value in call.items() if value is not None}


def _assistant(config: CallConfig) -> dict[str, Any]:
    shown = _shown(config.assistant.model_dump(by_alias=True, exclude_none=True, exclude_unset=True))
    return {"id": config.assistant_id, **shown} if config.assistant_id else shown


def _shown(tree: Any) -> Any:
    """A copy without sealed secrets."""
    if isinstance(tree, dict):
        return {key: _shown(value) for key, value in tree.items() if not _is_sealed(value)}
    if isinstance(tree, list | tuple):
        return [_shown(value) for value in tree if not _is_sealed(value)]
    return tree


def _is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_SEALED)
