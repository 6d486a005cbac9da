"""What the caller said, as the recognizer heard it. Order per utterance: Partial*, Final."""

from typing import Annotated, ClassVar

from pydantic import Field

from voxbus_contracts.language import LANGUAGE_TAG
from voxbus_contracts.message import Event, PersonalText, PtsMs

Language = Annotated[str, Field(pattern=LANGUAGE_TAG, description="BCP 47: `es`, `pt-BR`")]


class TranscriptPartial(Event, name="transcript.partial", owner="stt-worker"):
    """A guess that may still change; replaces the earlier ones of its utterance."""

    example: ClassVar = {"transcript_seq": 1, "text": "where is my", "start_pts_ms": 1240, "end_pts_ms": 2000}

    transcript_seq: int = Field(ge=1, description="numbers the recognized utterances; goes on over a takeover")
    text: PersonalText
    start_pts_ms: PtsMs
    end_pts_ms: PtsMs


class TranscriptFinal(Event, name="transcript.final", owner="stt-worker"):
    """The recognizer's last word on an utterance; may be empty when it understood nothing."""

    example: ClassVar = {
        "transcript_seq": 1,
        "text": "where is my order",
        "start_pts_ms": 1240,
        "end_pts_ms": 2860,
        "speech_seq": 1,
        "provider": "pocketsphinx",
        "recognition_ms": 12,
    }

    transcript_seq: int = Field(ge=1)
    text: PersonalText
    start_pts_ms: PtsMs
    end_pts_ms: PtsMs = Field(description="audio up to here is recognized; a takeover replays from here")
    speech_seq: int = Field(ge=0, description="the stretch of speech it belongs to; 0 = none (end of the call)")
    provider: str
    recognition_ms: int = Field(ge=0, description="from speech.stopped to this event")
    confidence: float | None = Field(default=None, ge=0, le=1)
    language: Language | None = Field(default=None, description="the recognizer heard it in, where it tells")


class TranscriptDismissed(Event, name="transcript.dismissed", owner="llm-orchestrator"):
    """What was recognized while the assistant spoke is no turn of the caller's; names the transcripts it consumed."""

    example: ClassVar = {"transcript_seqs": [4], "reason": "acknowledged", "pts_ms": 5220}

    transcript_seqs: tuple[int, ...]
    reason: str = Field(description="acknowledged | echo | nothing-said | low-confidence")
    pts_ms: PtsMs


class LanguageDetected(Event, name="language.detected", owner="llm-orchestrator"):
    """The caller speaks another language than was known, or one is known for the first time; before the turn."""

    example: ClassVar = {"language": "es", "before": "en", "transcript_seq": 3, "pts_ms": 9_120}

    language: Language
    before: Language | None = Field(default=None, description="the one known until then; none = not known")
    transcript_seq: int = Field(ge=1, description="the transcript that shows it")
    pts_ms: PtsMs
