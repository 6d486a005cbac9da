"""Whose turn it is."""

from typing import ClassVar

from pydantic import Field

from voxbus_contracts.message import Event, PersonalText, PtsMs


class TurnCommitted(Event, name="turn.committed", owner="llm-orchestrator"):
    """The caller has finished: the assistant answers. Names the transcripts it consumed."""

    example: ClassVar = {
        "turn": 1,
        "text": "where is my order",
        "transcript_seqs": [1],
        "anchor_pts_ms": 2860,
        "pts_ms": 3410,
        "reason": "silence",
    }

    turn: int = Field(ge=1)
    text: PersonalText
    transcript_seqs: tuple[int, ...]
    keys: int = Field(default=0, ge=0, description="pressed keys it consumed")
    anchor_pts_ms: PtsMs = Field(description="end of the last voiced sample of the caller, or the last key")
    pts_ms: PtsMs = Field(description="the decision, on the audio clock")
    reason: str = Field(
        description="what decided the wait: custom-rule, the smart plan's provider, number, punctuation, "
        "no-punctuation, evidence, silence; or keypad, not-understood"
    )
    endpointing_ms: int = Field(default=0, ge=0, description="anchor → silence long enough")
    recognition_ms: int = Field(default=0, ge=0, description="waited for the recognizer beyond that")


class TurnWaitAdvised(Event, name="turn.wait-advised", owner="llm-orchestrator"):
    """The customer's endpointing server said how long to wait after a transcript, or did not answer in time."""

    example: ClassVar = {"transcript_seq": 2, "wait_ms": 800, "pts_ms": 3120}

    transcript_seq: int = Field(ge=1)
    wait_ms: int | None = Field(default=None, ge=0, description="after the last voiced sample; none = no answer")
    pts_ms: PtsMs


class TurnCancelled(Event, name="turn.cancelled", owner="llm-orchestrator"):
    """A turn that was being prepared is not taken: the caller went on."""

    example: ClassVar = {"turn": 2, "pts_ms": 6120, "reason": "caller-went-on"}

    turn: int
    pts_ms: PtsMs
    reason: str


class TurnMeasured(Event, name="turn.measured", owner="llm-orchestrator"):
    """The turn's latency where the caller hears it, and its parts; they add up to v2v_ms. Once per turn that sounded.

    When something was said before a tool was run, `answer_ms` is the wait for what was said with its result.
    """

    example: ClassVar = {
        "turn": 1,
        "v2v_ms": 561.2,
        "parts": {
            "endpointing": 518.0,
            "recognition": 12.0,
            "tools": 0.0,
            "model": 5.0,
            "sentence": 1.0,
            "voice": 4.0,
            "bus": 3.1,
            "playout": 18.1,
        },
    }

    turn: int
    v2v_ms: float = Field(description="until the first sound of the answer")
    parts: dict[str, float] = Field(
        description="ms, one after the other in time: endpointing, recognition, tools, model (first token), sentence, "
        "voice (first frame), bus, playout"
    )
    answer_ms: float | None = Field(
        default=None, description="until the first sound said after the last tool, when the turn had sounded before"
    )
    answer_parts: dict[str, float] = Field(default={}, description="of answer_ms, like parts")
