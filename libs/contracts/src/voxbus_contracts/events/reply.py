"""What the assistant says: ReplyStarted, say commands*, ReplyGenerated?, (ReplyFinished | ReplyInterrupted)."""

from typing import ClassVar

from pydantic import Field

from voxbus_contracts.message import Event, PersonalText, PtsMs


class ReplyStarted(Event, name="reply.started", owner="llm-orchestrator"):
    """The assistant began to answer; the model is being asked, or a fixed text is said."""

    example: ClassVar = {"reply": 2, "turn": 1, "source": "model"}

    reply: int = Field(ge=1)
    turn: int = Field(ge=0, description="0 = not an answer to a turn (first message, say)")
    source: str = Field(description="model | first-message | say | tool | recovery")
    cause: str = Field(default="", description="event id of the command it carries out")
    pts_ms: PtsMs = 0


class ReplyGenerated(Event, name="reply.generated", owner="llm-orchestrator"):
    """The model has said all; its sentences are in the say commands before this event."""

    example: ClassVar = {"reply": 2, "utterances": [3, 4], "first_token_ms": 4, "end_call": False}

    reply: int
    utterances: tuple[int, ...]
    first_token_ms: int = Field(default=0, ge=0)
    end_call: bool = Field(default=False, description="the call ends once this reply was heard")


class ReplyFinished(Event, name="reply.finished", owner="llm-orchestrator"):
    """Everything generated was heard."""

    example: ClassVar = {"reply": 2, "turn": 1, "heard": "It ships on Friday.", "pts_ms": 5240}

    reply: int
    turn: int
    heard: PersonalText
    pts_ms: PtsMs


class ReplyInterrupted(Event, name="reply.interrupted", owner="llm-orchestrator"):
    """The caller broke in: `heard` is what left media-ingress, and all that enters the history."""

    example: ClassVar = {
        "reply": 2,
        "turn": 1,
        "heard": "It ships",
        "up_to_utterance_seq": 4,
        "pts_ms": 4240,
        "reason": "caller-spoke",
    }

    reply: int
    turn: int
    heard: PersonalText
    up_to_utterance_seq: int
    pts_ms: PtsMs
    reason: str


class MessageAdded(Event, name="message.added", owner="llm-orchestrator"):
    """A message was put into the conversation from outside; its place among the others is here."""

    example: ClassVar = {"role": "system", "content": "The caller is a premium customer.", "cause": "9f2c51"}

    role: str
    content: PersonalText
    cause: str = Field(description="event id of the command it carries out")


class HandoffCompleted(Event, name="handoff.completed", owner="llm-orchestrator"):
    """Another assistant of the squad has taken over the conversation."""

    example: ClassVar = {"from_assistant": "triage", "to_assistant": "billing", "pts_ms": 20400}

    from_assistant: str
    to_assistant: str
    pts_ms: PtsMs
