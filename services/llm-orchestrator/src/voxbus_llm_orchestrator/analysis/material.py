"""What was said on a call that is over, as questions about it need it. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from voxbus_contracts.events import (
    AnalysisCompleted,
    AnalysisMade,
    CallEnded,
    CallStarted,
    ReplyFinished,
    ReplyInterrupted,
    ToolFinished,
    ToolRequested,
    TurnCommitted,
)
from voxbus_contracts.message import Message

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Material:
    """`messages`: role (user, assistant, tool) and content. `made`: parts that are answered already."""

    messages: tuple[Json, ...] = ()
    ended_reason: str = ""
    is_started: bool = False
    made: frozenset[str] = field(default_factory=frozenset[str])
    is_completed: bool = False

    @property
    def spoken(self) -> int:
        """How often one of both sides has said something."""
        return sum(1 for each in self.messages if each["role"] != "tool")

    @property
    def transcript(self) -> str:
        """`AI: …` and `User: …`, a line each."""
        names = {"user": "User", "assistant": "AI"}
        lines = (f"{names[each['role']]}: {each['content']}" for each in self.messages if each["role"] in names)
        return "\n".join(lines)


def material_of(log: Iterable[Message]) -> Material:
    """`log`: a call's messages in stream order, none twice. What the assistant said is what was heard of it."""
    messages: list[Json] = []
    made: set[str] = set()
    reason, is_started, is_completed = "", False, False
    for each in log:
        match each:
            case TurnCommitted(text=text) if text:
                messages.append({"role": "user", "content": text})
            case ReplyFinished(heard=heard) | ReplyInterrupted(heard=heard) if heard:
                messages.append({"role": "assistant", "content": heard})
            case ToolRequested():
                told = f"called {each.tool_name} with {json.dumps(each.arguments, ensure_ascii=False)}"
                messages.append({"role": "tool", "content": told})
            case ToolFinished():
                messages.append({"role": "tool", "content": f"{each.tool_name}: {each.result or each.error or ''}"})
            case CallStarted():
                is_started = True
            case CallEnded():
                reason = each.reason
            case AnalysisMade(run=""):
                made.add(each.part)
            case AnalysisCompleted():
                is_completed = True
            case _:
                pass
    return Material(tuple(messages), reason, is_started, frozenset(made), is_completed)
