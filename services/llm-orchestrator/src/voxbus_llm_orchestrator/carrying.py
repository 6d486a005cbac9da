"""What of the conversation the next assistant's model is told after a handoff, by its context mode. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from voxbus_llm_orchestrator.state import Handoff
from voxbus_providers.model import Turn

ROLLING: Final = "rolling-history"
_NOTHING: Final = frozenset({"none", "delete-history"})
_WITHOUT_TRANSFER: Final = "swap-system-message-in-history-and-remove-transfer-tool-messages"


@dataclass(slots=True)
class Carried:
    """The history so far. `began`: where the assistant that speaks took over; `prompt_at`: where its prompt stands."""

    turns: list[Turn] = field(default_factory=list[Turn])
    began: int = 0
    prompt_at: int = 0

    def hand_over(self, handoff: Handoff, prompt: Sequence[Turn]) -> None:
        """`prompt` is that of the assistant that leaves: kept only by a rolling history."""
        if handoff.context == ROLLING:
            self.turns[self.prompt_at : self.prompt_at] = prompt
            self.began = self.prompt_at = len(self.turns)
            return
        self.turns = _kept(self.turns, self.began, handoff)
        self.began, self.prompt_at = len(self.turns), 0

    def with_prompt(self, prompt: Sequence[Turn]) -> list[Turn]:
        return [*self.turns[: self.prompt_at], *prompt, *self.turns[self.prompt_at :]]


def _kept(turns: list[Turn], began: int, handoff: Handoff) -> list[Turn]:
    match handoff.context:
        case "lastNMessages":
            return _whole(turns[max(0, len(turns) - handoff.max_messages) :])
        case "userAndAssistantMessages":
            spoken = (replace(turn, tool_calls=()) for turn in turns if turn.role in ("user", "assistant"))
            return [turn for turn in spoken if turn.content]
        case "previousAssistantMessages":
            return _whole(turns[began:])
        case mode if mode in _NOTHING:
            return []
        case mode if mode == _WITHOUT_TRANSFER:
            return _without_call(turns, handoff.cause)
        case _:
            return turns


def _whole(turns: list[Turn]) -> list[Turn]:
    """No tool's answer without the call it answers: models refuse those."""
    called = {call.id for turn in turns for call in turn.tool_calls}
    return [turn for turn in turns if turn.role != "tool" or turn.tool_call_id in called]


def _without_call(turns: list[Turn], call_id: str) -> list[Turn]:
    left = (
        replace(turn, tool_calls=tuple(call for call in turn.tool_calls if call.id != call_id))
        for turn in turns
        if turn.role != "tool" or turn.tool_call_id != call_id
    )
    return [turn for turn in left if turn.content or turn.tool_calls or turn.role == "tool"]
