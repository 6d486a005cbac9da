"""What is told about a call, an assistant and its tools: never a secret, to clients never an address's headers."""

from typing import Any, Final

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import ToolRequested

_SEALED: Final = "sealed:"


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


def told_call(config: CallConfig, status: str) -> dict[str, Any]:
    """`call` of a server message; with `monitor` where the configuration's is open."""
    monitor = config.monitor.model_dump(by_alias=True, exclude_none=True) if config.monitor else {}
    call = {
        "id": config.call,
        "orgId": config.org,
        "type": config.call_type,
        "status": status,
        "assistantId": config.assistant_id,
        "assistantOverrides": {"variableValues": config.variables} if config.variables else None,
        "monitor": without_sealed(monitor) or None,
    }
    return {name: value for name, value in call.items() if value is not None}


def whole_assistant(config: CallConfig) -> dict[str, Any]:
    """`assistant` of a server message: as it was configured, without what is sealed."""
    shown = without_sealed(config.assistant.model_dump(by_alias=True, exclude_none=True, exclude_unset=True))
    return {"id": config.assistant_id, **shown} if config.assistant_id else shown


def without_sealed(tree: Any) -> Any:
    """A copy without sealed secrets."""
    if isinstance(tree, dict):
        return {key: without_sealed(value) for key, value in tree.items() if not _is_sealed(value)}
    if isinstance(tree, list | tuple):
        return [without_sealed(value) for value in tree if not _is_sealed(value)]
    return tree


def _is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_SEALED)
