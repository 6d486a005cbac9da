"""A ModelRequest in OpenAI's words. Pure.

Source: OpenAI API reference, chat completions (August 2026).
"""

import json
from typing import Any, Final

from voxbus_contracts.tool import Tool
from voxbus_llm_orchestrator.providers.completion import END_CALL
from voxbus_providers.model import ModelRequest, Turn

_OFFERED: Final = {"function", END_CALL}
_OFFERED_WITH_FUNCTION: Final = {"transferCall", "handoff"}
_COMPLETIONS: Final = "/chat/completions"


def completions_url(base_url: str) -> str:
    """`base_url` with /chat/completions at the end of its path, once."""
    address, mark, query = base_url.strip().partition("?")
    address = address.rstrip("/").removesuffix(_COMPLETIONS) + _COMPLETIONS
    return address + mark + query


def completion_body(request: ModelRequest, limit_field: str) -> dict[str, Any]:
    """Prompt and history are `request.messages`, all of it; tools of types that nothing here runs are left
    out.
    """
    model = request.model
    body: dict[str, Any] = {
        "model": model.model,
        "messages": [_message(turn) for turn in request.messages],
        "temperature": model.temperature,
        limit_field: model.max_tokens,
        "stream": True,
    }
    tools = [_function(tool) for tool in request.tools if _is_offered(tool)]
    return body | {"tools": tools} if tools else body


def _is_offered(tool: Tool) -> bool:
    return tool.type in _OFFERED or (tool.type in _OFFERED_WITH_FUNCTION and tool.function is not None)


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.tool_call_id, "content": turn.content}
    if not turn.tool_calls:
        return {"role": turn.role, "content": turn.content}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for call in turn.tool_calls
    ]
    return {"role": turn.role, "content": turn.content or None, "tool_calls": calls}


def _function(tool: Tool) -> dict[str, Any]:
    schema = tool.function
    default_description = "Ends the call. Say goodbye first." if tool.type == END_CALL else ""
    function: dict[str, Any] = {
        "name": tool.name,
        "description": (schema.description if schema else "") or default_description,
        "parameters": (schema.parameters if schema else {}) or {"type": "object", "properties": {}},
    }
    strict = (schema.model_extra or {}).get("strict") if schema else None
    return {"type": "function", "function": function if strict is None else {**function, "strict": strict}}
