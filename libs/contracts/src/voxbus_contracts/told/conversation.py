"""The conversation as clients and servers see it: what was said and heard so far, in the public API's shapes."""

import json
from dataclasses import dataclass
from typing import Any, Final

_SPEAKERS: Final = {"bot": "AI", "user": "User"}


@dataclass(frozen=True, slots=True)
class Span:
    """When something was said: ms on the caller's audio clock."""

    start_pts_ms: int
    end_pts_ms: int


class Conversation:
    """Entries in the order they entered the history. `started_at_ms` is the wall clock (ms) at pts 0."""

    def __init__(self, started_at_ms: int = 0) -> None:
        self.started_at_ms = started_at_ms
        self._messages: list[dict[str, Any]] = []
        self._openai: list[dict[str, Any]] = []

    def add_text(self, role: str, text: str, span: Span) -> None:
        """`role` as OpenAI calls it: system, user or assistant (shown as bot)."""
        self._add("bot" if role == "assistant" else role, {"message": text}, span)
        self._openai.append({"role": role, "content": text})

    def add_tool_call(self, tool_call: dict[str, Any], span: Span) -> None:
        function = {"name": tool_call["name"], "arguments": json.dumps(tool_call["arguments"], ensure_ascii=False)}
        entry = {"id": tool_call["id"], "type": "function", "function": function}
        self._add("tool_calls", {"message": "", "toolCalls": [entry]}, span)
        self._openai.append({"role": "assistant", "content": None, "tool_calls": [entry]})

    def add_tool_result(self, tool_call_id: str, name: str, result: str, span: Span) -> None:
        self._add("tool_call_result", {"toolCallId": tool_call_id, "name": name, "result": result}, span)
        self._openai.append({"role": "tool", "tool_call_id": tool_call_id, "content": result})

    def update(self) -> dict[str, Any]:
        """Fields of a conversation-update; `conversation` is the legacy name of the OpenAI format."""
        openai = list(self._openai)
        return {"messages": list(self._messages), "messagesOpenAIFormatted": openai, "conversation": openai}

    def artifact(self) -> dict[str, Any]:
        """The same with the transcript: `AI: …` and `User: …`, a line each."""
        lines = [
            f"{_SPEAKERS[each['role']]}: {each['message']}\n" for each in self._messages if each["role"] in _SPEAKERS
        ]
        told = {"messages": list(self._messages), "messagesOpenAIFormatted": list(self._openai)}
        return {**told, "transcript": "".join(lines)}

    def _add(self, role: str, fields: dict[str, Any], span: Span) -> None:
        duration_ms = max(0, span.end_pts_ms - span.start_pts_ms)
        self._messages.append(
            {
                "role": role,
                **fields,
                "time": self.started_at_ms + span.start_pts_ms,
                "endTime": self.started_at_ms + span.start_pts_ms + duration_ms,
                "secondsFromStart": span.start_pts_ms / 1000,
                "duration": duration_ms,
            }
        )
