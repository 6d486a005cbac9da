"""What the hooks on a session's creation put into it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.events import ChatLine
from voxbus_contracts.hook import SESSION_CREATED, HookAction
from voxbus_runtime.templates import rendered


def opening_lines(
    assistant: Mapping[str, Any], session_id: str, variables: Mapping[str, Any], now_ms: int
) -> tuple[ChatLine, ...]:
    """Messages of `message.add` and exact words of `say`, in order; which of several words is chosen by the id."""
    hooks = [
        hook for hook in Assistant.model_validate(assistant).hooks if hook.on == SESSION_CREATED and not hook.filters
    ]
    lines = (line for hook in hooks for action in hook.do for line in _lines(action, session_id))
    return tuple(line.model_copy(update={"content": rendered(line.content, variables, now_ms)}) for line in lines)


def _lines(action: HookAction, session_id: str) -> Iterator[ChatLine]:
    if action.type == "message.add" and action.message is not None:
        role = "system" if action.message.role == "developer" else action.message.role
        yield ChatLine(role=role, content=action.message.content)
    elif action.type == "say" and action.texts:
        yield ChatLine(role="assistant", content=action.texts[crc32(session_id.encode()) % len(action.texts)])
