"""What a client is told about an assistant and its tools: never an address's headers or secrets, never a script."""

from typing import Any

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.events import ToolRequested


def told_assistant(assistant: Assistant, assistant_id: str | None) -> dict[str, Any]:
    """`newAssistant` of assistant.started."""
    shown: dict[str, Any] = {
        "id": assistant_id,
        "name": assistant.name,
        "firstMessage": assistant.first_message,
        "firstMessageMode": assistant.first_message_mode,
        "model": {"provider": assistant.model.provider, "model": assistant.model.model},
        "voice": {"provider": assistant.voice.provider, "voiceId": assistant.voice.voice_id},
        "transcriber": {
            "provider": assistant.transcriber.provider,
            "model": assistant.transcriber.model,
            "language": assistant.transcriber.language,
        },
    }
    return {name: value for name, value in shown.items() if value is not None}


def told_tool_call(event: ToolRequested) -> dict[str, Any]:
    """One tool call in every shape clients read: nested as OpenAI has it, and flat."""
    return {
        "id": event.tool_call_id,
        "type": "function",
        "function": {"name": event.tool_name, "arguments": event.arguments},
        "name": event.tool_name,
        "arguments": event.arguments,
        "parameters": event.arguments,
    }


def told_tool_with_call(assistant: Assistant, call: dict[str, Any]) -> dict[str, Any]:
    """An entry of toolWithToolCallList: the tool's definition and the call."""
    tool = next((tool for tool in assistant.model.tools if tool.name == call["name"]), None)
    function: dict[str, Any] = {"name": call["name"]}
    if tool is not None and tool.function is not None:
        function = tool.function.model_dump(by_alias=True, include={"name", "description", "parameters"})
    server = tool.server if tool is not None else None
    return {
        "type": tool.type if tool is not None else "function",
        "function": function,
        "async": tool.is_async if tool is not None else False,
        "server": {"url": server.url, "timeoutSeconds": server.timeout_seconds} if server is not None else {},
        "messages": [],
        "toolCall": call,
    }
