"""What the assistant says: ReplyStarted, say commands*, ReplyGenerated?, (ReplyFinished | ReplyInterrupted).

An answer may be prepared before the caller's turn is over: ReplySpeculated, held say commands*, then either
ReplyStarted with the same number, which lets it be heard, or ReplyDropped.
"""

from typing import ClassVar, Final, Literal

from pydantic import Field

from voxbus_contracts.message import Event, PersonalText, PtsMs, UtteranceSeq


class ReplySpeculated(Event, name="reply.speculated", owner="llm-orchestrator"):
    """The model is asked while the caller may still go on; nothing of the answer is heard before reply.started.

    It answers the committed turn only if `turn`, `context` and the words of `text` (case and punctuation aside) are
    still the same then.
    """

    example: ClassVar = {
        "reply": 2,
        "turn": 1,
        "text": "where is my order",
        "context": 3,
        "basis": "partial",
        "pts_ms": 2920,
    }

    reply: int = Field(ge=1, description="numbered like every reply; a dropped one's number is not used again")
    turn: int = Field(ge=1, description="the turn that is not committed yet")
    text: PersonalText = Field(description="what the caller was understood to have said so far")
    context: int = Field(ge=0, description="version of the conversation before it: grows with whatever is added")
    basis: Literal["partial", "final"] = Field(description="what of the recognizer the text is from")
    pts_ms: PtsMs


class ReplyDropped(Event, name="reply.dropped", owner="llm-orchestrator"):
    """A prepared answer is not wanted: nothing of it was heard, and nothing will be."""

    example: ClassVar = {
        "reply": 2,
        "turn": 1,
        "reason": "caller-went-on",
        "up_to_utterance_seq": 3,
        "prompt_tokens": 412,
        "completion_tokens": 9,
        "characters": 31,
        "pts_ms": 3380,
    }

    reply: int
    turn: int
    reason: str = Field(description="the row of the turn table")
    up_to_utterance_seq: int = Field(default=0, ge=0, description="its last sentence; 0 = none was ordered")
    prompt_tokens: int = Field(default=0, ge=0, description="wasted; estimated when the request was broken off")
    completion_tokens: int = Field(default=0, ge=0, description="wasted; estimated when the request was broken off")
    characters: int = Field(default=0, ge=0, description="ordered from the voice for nothing")
    pts_ms: PtsMs = 0


BY_CALLER: Final = frozenset({"caller-spoke", "interruption-phrase"})
"""Reasons of ReplyInterrupted that are the caller's doing."""


class ReplyStarted(Event, name="reply.started", owner="llm-orchestrator"):
    """The assistant began to answer; the model is being asked, or a fixed text is said."""

    example: ClassVar = {"reply": 2, "turn": 1, "source": "model"}

    reply: int = Field(ge=1)
    turn: int = Field(ge=0, description="0 = not an answer to a turn (first message, say)")
    source: str = Field(
        description="model | tool | first-message | say | recovery | idle-message | silence-timeout | filler "
        "| tool-message | hook"
    )
    cause: str = Field(default="", description="event id of the command it carries out, or what else made it due")
    pts_ms: PtsMs = 0
    utterances: tuple[UtteranceSeq, ...] = Field(
        default=(), description="sentences held until now, which may be heard from now on"
    )
    anchor_pts_ms: int | None = Field(default=None, description="of v2v, for the first of those sentences")


class ReplyRetried(Event, name="reply.retried", owner="llm-orchestrator"):
    """The model failed or said nothing: it, or the next of its `fallbackModels`, is asked for the same reply."""

    example: ClassVar = {"reply": 2, "reason": "model-slow", "pts_ms": 11400}

    reply: int
    reason: str = Field(description="code of the fault")
    pts_ms: PtsMs
    stand_in: int = Field(
        default=0, ge=0, description="which of fallbackModels answers from now on, from 1; 0 = the model itself"
    )


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
    """It was given up: `heard` is what left media-ingress, and all that enters the history."""

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
    reason: str = Field(description="caller-spoke | interruption-phrase | told-to-say | call-ended")


class MessageAdded(Event, name="message.added", owner="llm-orchestrator"):
    """A message was put into the conversation from outside; its place among the others is here."""

    example: ClassVar = {"role": "system", "content": "The caller is a premium customer.", "cause": "9f2c51"}

    role: str
    content: PersonalText
    cause: str = Field(description="event id of the command it carries out")
