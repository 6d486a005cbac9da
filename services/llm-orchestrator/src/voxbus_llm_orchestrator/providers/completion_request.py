"""A ModelRequest in OpenAI's words. Pure.

Source: OpenAI API reference, chat completions (August 2026).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from voxbus_contracts.offering import offered
from voxbus_contracts.tool import FunctionSchema
from voxbus_providers.errors import ProviderRejected
from voxbus_providers.model import ModelRequest, Turn

_COMPLETIONS: Final = "/chat/completions"


def completions_url(base_url: str) -> str:
    """`base_url` with /chat/completions at the end of its path, once."""
    address, mark, query = base_url.strip().partition("?")
    address = address.rstrip("/").removesuffix(_COMPLETIONS) + _COMPLETIONS
    return address + mark + query


def sent_bytes(provider: str, body: Mapping[str, Any]) -> bytes:
    """The body as it is sent, and signed. Raises ProviderRejected for what JSON does not have."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except ValueError as wrong:
        raise ProviderRejected(provider, f"the request cannot be sent: {type(wrong).__name__}") from None


def completion_body(request: ModelRequest, limit_field: str) -> dict[str, Any]:
    """Prompt and history are `request.messages`, all of it; tools of types that nothing here runs are left out."""
    model = request.model
    body: dict[str, Any] = {
        "model": model.model,
        "messages": [_message(turn) for turn in request.messages],
        "temperature": model.temperature,
        limit_field: model.max_tokens,
        "stream": True,
    }
    functions = [function for tool in request.tools if (function := offered(tool)) is not None]
    return body | {"tools": [_described(each) for each in functions]} if functions else body


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


def _described(function: FunctionSchema) -> dict[str, Any]:
    described = {"name": function.name, "description": function.description, "parameters": function.parameters}
    strict = (function.model_extra or {}).get("strict")
    return {"type": "function", "function": described if strict is None else {**described, "strict": strict}}
