"""Which server runs a tool, and what it is asked. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxbus_contracts.api_model import Server
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_contracts.offering import mcp_tools
from voxbus_contracts.told.shapes import without_sealed
from voxbus_contracts.tool import Tool
from voxbus_runtime.templates import filled, variables_of
from voxbus_tool_runner.errors import ServerMissing, ToolUnknown


@dataclass(frozen=True, slots=True)
class Target:
    """A tool and the server that runs it; secrets are still sealed. `timeout_ms` is the stricter of both limits."""

    tool: Tool
    server: Server
    authentication: dict[str, Any] | None
    url: str
    timeout_ms: int


def tool_of(config: CallConfig, command: RunTool) -> Tool:
    """The assistant's tool that was called; that of the server where it is an MCP server's. Raises ToolUnknown."""
    assistant = config.assistant
    tools = (*assistant.model.tools, *assistant.hook_tools)
    remote, servers = command.remote, mcp_tools(assistant.model.tools)
    if remote is not None and remote.tool < len(servers):
        return servers[remote.tool]
    tool = next((tool for tool in tools if tool.name == command.tool_name), None)
    if tool is None:
        raise ToolUnknown(f"There is no tool called {command.tool_name}.")
    return tool


def target_of(config: CallConfig, command: RunTool, tool: Tool) -> Target:
    """The tool's own server, the assistant's, the call's (its number's or organisation's). Raises ServerMissing."""
    asked = [(each, config.authentication_of(each)) for each in (tool.server, config.assistant.server) if each]
    if config.message_server is not None:
        asked.append((config.message_server.server, config.message_server.authentication))
    for server, authentication in asked:
        if server.url:
            limit_ms = min(command.timeout_ms, int(server.timeout_seconds * 1000))
            return Target(tool, server, authentication, server.url, limit_ms)
    raise ServerMissing(f"The tool {command.tool_name} has no server.")


def arguments_of(config: CallConfig, command: RunTool, tool: Tool) -> dict[str, Any]:
    """What the model chose, and over it what the assistant always sends along."""
    if not tool.parameters:
        return command.arguments
    known = {**variables_of(config), **command.variables, **command.arguments}
    static = {each.key: filled(each.value, known, config.created_at_ms) for each in tool.parameters}
    return {**command.arguments, **static}


def message_of(
    config: CallConfig, command: RunTool, tool: Tool, now_ms: int, about: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of the request: every shape of a tool call that servers in the wild read. `about`: call, assistant."""
    arguments = arguments_of(config, command, tool)
    tool_call: dict[str, Any] = {
        "id": command.tool_call_id,
        "type": "function",
        "function": {"name": command.tool_name, "arguments": arguments},
        "name": command.tool_name,
        "arguments": arguments,
        "parameters": arguments,
    }
    messages = [each.model_dump(by_alias=True, exclude_unset=True) for each in tool.messages or ()]
    own = {"async": tool.is_async, "messages": messages}
    described = without_sealed(tool.model_dump(by_alias=True, exclude_none=True, exclude_unset=True) | own)
    older = {"functionCall": {"name": command.tool_name, "parameters": arguments}}
    return {
        "message": {
            "type": tool.server_message,
            "timestamp": now_ms,
            **(older if tool.server_message == "function-call" else {}),
            "toolCallList": [tool_call],
            "toolCalls": [tool_call],
            "toolWithToolCallList": [{**described, "toolCall": tool_call}],
            **about,
            "artifact": {},
        }
    }
