"""What the orchestrator knows of a chat: the state of a call that is only written, and what was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from voxbus_contracts.events import ChatEnded, ChatRequested, ChatWorded
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.apply import apply
from voxbus_llm_orchestrator.folding import with_entry
from voxbus_llm_orchestrator.state import CallState

INTERESTS: Final = frozenset(message.name() for message in (ChatRequested, ChatWorded, ChatEnded))
"""What it reads beside the messages of a call."""


@dataclass(frozen=True, slots=True)
class ChatState:
    """Folded from the log like a call's. `core` has replies and tools; `words` the pieces of each reply, in order."""

    core: CallState = field(default_factory=CallState)
    request: ChatRequested | None = None
    words: Mapping[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    is_over: bool = False

    def written(self, reply: int) -> str:
        """What was written of a reply so far."""
        return "".join(self.words.get(reply, ()))


def apply_chat(state: ChatState, message: Message, event_id: str = "") -> ChatState:
    """The state after `message`."""
    match message:
        case ChatRequested():
            return replace(state, request=state.request or message)
        case ChatWorded(reply=reply, piece=piece, text=text):
            known = state.words.get(reply, ())
            return replace(state, words=with_entry(state.words, reply, (*known[: piece - 1], text)))
        case ChatEnded():
            return replace(state, is_over=True)
        case _:
            return replace(state, core=apply(state.core, message, event_id))
