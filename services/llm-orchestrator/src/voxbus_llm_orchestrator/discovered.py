"""An assistant with the tools that its MCP servers were found to have. Pure."""

from collections.abc import Mapping
from typing import Any

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.events import DiscoveredTool
from voxbus_contracts.offering import mcp_tools
from voxbus_contracts.tool import FunctionSchema, RemoteTool, Tool, ToolMessage


def with_discovered(assistant: Assistant, found: Mapping[int, tuple[DiscoveredTool, ...]]) -> Assistant:
    """They come behind the assistant's own, whose names they must not take; the first of a name counts."""
    tools = assistant.model.tools
    names = {tool.name for tool in tools}
    more: list[Tool] = []
    origins = mcp_tools(tools)
    for index, offered in sorted(found.items()):
        for each in offered if index < len(origins) else ():
            if each.name not in names:
                names.add(each.name)
                more.append(_tool(origins[index], index, each))
    if not more:
        return assistant
    return assistant.model_copy(update={"model": assistant.model.model_copy(update={"tools": (*tools, *more)})})


def _tool(origin: Tool, index: int, found: DiscoveredTool) -> Tool:
    """What is said of it: its own entry in `toolMessages`, else what is said of the MCP tool."""
    function = FunctionSchema(name=found.name, description=found.description, parameters=found.parameters)
    return origin.model_copy(
        update={
            "function": function,
            "remote": RemoteTool(tool=index, name=found.remote_name),
            "messages": _messages(origin, found),
            "rejection_plan": None,
        }
    )


def _messages(origin: Tool, found: DiscoveredTool) -> tuple[ToolMessage, ...] | None:
    entry: dict[str, Any] | None = next(
        (each for each in origin.tool_messages if each.get("name") == found.remote_name), None
    )
    if entry is None or not isinstance(entry.get("messages"), list):
        return origin.messages
    return tuple(ToolMessage.model_validate(each) for each in entry["messages"] if isinstance(each, dict))
