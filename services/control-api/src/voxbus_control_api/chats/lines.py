"""Messages of a chat as clients write and read them (OpenAI's words) ↔ as they are on the bus. Pure."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from voxbus_contracts.events import ChatLine, ChatToolCall
from voxbus_control_api.errors import BadRequest

Json = dict[str, Any]

_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "bot": "assistant",
    "tool": "tool",
}
_TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text"})
_MUST_BE_INPUT: Final = "must be a text or a list of messages, and not empty"


def read_input(posted: Any, earlier: Sequence[ChatLine] = ()) -> tuple[ChatLine, ...]:
    """`input`: a text of the user, or messages. Raises BadRequest naming every message that is wrong."""
    if isinstance(posted, str) and posted.strip():
        return (ChatLine(role="user", content=posted),)
    if not isinstance(posted, list) or not posted:
        raise BadRequest(f"input {_MUST_BE_INPUT}")
    return read_messages(posted, "input", earlier)


def read_messages(posted: Sequence[Any], name: str, earlier: Sequence[ChatLine] = ()) -> tuple[ChatLine, ...]:
    """Messages with `role` and `content`, or `message` as in a call's record. Raises BadRequest."""
    tools = {call.id: call.name for line in earlier for call in line.tool_calls}
    lines: list[ChatLine] = []
    problems: list[str] = []
    for index, message in enumerate(posted):
        line = _read(message, f"{name}.{index}", tools, problems)
        if line is not None:
            lines.append(line)
            tools |= {call.id: call.name for call in line.tool_calls}
    if problems:
        raise BadRequest(*problems)
    return tuple(lines)


def shown(lines: Iterable[ChatLine]) -> list[Json]:
    """As chat messages."""
    return [_shown(line) for line in lines]


def text_of(lines: Iterable[ChatLine]) -> str:
    """All that the assistant said in words; what came after a tool begins a line of its own."""
    return "\n".join(line.content for line in lines if line.role == "assistant" and line.content)


def stored(lines: Iterable[ChatLine]) -> list[Json]:
    return [line.model_dump(exclude_defaults=True) | {"role": line.role} for line in lines]


def restored(entries: Iterable[Any]) -> tuple[ChatLine, ...]:
    return tuple(ChatLine.model_validate(entry) for entry in entries)


def _shown(line: ChatLine) -> Json:
    if line.role == "tool":
        name = {"name": line.tool_name} if line.tool_name else {}
        return {"role": "tool", "content": line.content, "tool_call_id": line.tool_call_id, **name}
    message: Json = {"role": line.role, "content": line.content}
    if line.tool_calls:
        message["tool_calls"] = [_shown_call(call) for call in line.tool_calls]
    return message


def _shown_call(call: ChatToolCall) -> Json:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _read(message: Any, path: str, tools: dict[str, str], problems: list[str]) -> ChatLine | None:
    if not isinstance(message, dict):
        problems.append(f"{path} must be an object")
        return None
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        problems.append(f"{path}.role must be one of system, developer, user, assistant, tool")
    content = _content(message, path, problems)
    calls = _calls(message.get("tool_calls"), f"{path}.tool_calls", problems) if role == "assistant" else ()
    call_id = message.get("tool_call_id")
    if role == "tool" and (not isinstance(call_id, str) or not call_id):
        problems.append(f"{path}.tool_call_id is required")
    if role is None or content is None or problems:
        return None
    if role != "tool":
        return ChatLine.model_validate({"role": role, "content": content, "tool_calls": calls})
    name = message.get("name") if isinstance(message.get("name"), str) else tools.get(str(call_id), "")
    return ChatLine(role="tool", content=content, tool_call_id=str(call_id), tool_name=name or "")


def _content(message: Json, path: str, problems: list[str]) -> str | None:
    content = message.get("content", message.get("message"))
    if isinstance(content, str):
        return content
    if content is None and message.get("tool_calls"):
        return ""
    if isinstance(content, list):
        texts = [_part(part, f"{path}.content.{index}", problems) for index, part in enumerate(content)]
        return "".join(text for text in texts if text)
    problems.append(f"{path}.content must be a string")
    return None


def _part(part: Any, path: str, problems: list[str]) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type") in _TEXT_PARTS else None
    if not isinstance(text, str):
        problems.append(f"{path} must be a part of type text with a text")
        return ""
    return text


def _calls(calls: Any, path: str, problems: list[str]) -> tuple[ChatToolCall, ...]:
    if calls is None:
        return ()
    if not isinstance(calls, list):
        problems.append(f"{path} must be an array")
        return ()
    read = [_call(call) for call in calls]
    problems += [f"{path}.{index} must have id and function" for index, call in enumerate(read) if call is None]
    return tuple(call for call in read if call is not None)


def _call(call: Any) -> ChatToolCall | None:
    """`{id, function: {name, arguments}}`, arguments as JSON text or as an object; None for anything else."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return None
    call_id, name, arguments = call.get("id"), function.get("name"), function.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return None
    if not (isinstance(call_id, str) and isinstance(name, str) and isinstance(arguments, dict)):
        return None
    return ChatToolCall(id=call_id, name=name, arguments=arguments)
