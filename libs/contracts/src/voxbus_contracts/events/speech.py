"""Sound that is speech: the caller's, as the vad hears it, and the agent's, as the voice made it."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from voxbus_contracts.message import Event, PersonalText, PtsMs, UtteranceSeq


class SpeechStarted(Event, name="speech.started", owner="vad"):
    """The caller began to speak. Order per call: (SpeechStarted, SpeechPaused*, SpeechStopped)*."""

    example: ClassVar = {"speech_seq": 1, "pts_ms": 1240, "detected_pts_ms": 1320}

    speech_seq: int = Field(ge=1, description="numbers the caller's stretches of speech; goes on over a takeover")
    pts_ms: PtsMs = Field(description="first voiced sample")
    detected_pts_ms: PtsMs = Field(description="end of the frame that decided it")


class SpeechStopped(Event, name="speech.stopped", owner="vad"):
    """The caller has been silent long enough to be worth a look; not yet the end of a turn."""

    example: ClassVar = {"speech_seq": 1, "pts_ms": 2860, "detected_pts_ms": 3060, "voiced_ms": 1420, "finished": 0.71}

    speech_seq: int
    pts_ms: PtsMs = Field(description="end of the last voiced sample: the anchor of the turn's latency")
    detected_pts_ms: PtsMs
    voiced_ms: int = Field(ge=0)
    finished: float | None = Field(
        default=None, ge=0, le=1, description="probability that the turn is over, by prosody alone; None = not judged"
    )


class SpeechPaused(Event, name="speech.paused", owner="vad"):
    """The caller holds in, perhaps only for a breath: long enough to prepare an answer, too short to give one.

    At most once per silence, between the SpeechStarted and the SpeechStopped of its stretch, and only on calls that
    speculate; nothing says when the caller goes on.
    """

    example: ClassVar = {"speech_seq": 1, "pts_ms": 2860, "detected_pts_ms": 2920}

    speech_seq: int = Field(ge=1)
    pts_ms: PtsMs = Field(description="end of the last voiced sample")
    detected_pts_ms: PtsMs


class SpeechJudged(Event, name="speech.judged", owner="vad"):
    """How likely the caller has finished, by the sound alone. Only where the vad has a turn model, soon after the stop.

    Nobody waits for it: an event that comes too late, or never, changes nothing.
    """

    example: ClassVar = {"speech_seq": 1, "pts_ms": 2860, "finished": 0.93}

    speech_seq: int = Field(ge=1, description="the stretch that has just stopped")
    pts_ms: PtsMs = Field(description="end of its last voiced sample")
    finished: float = Field(ge=0, le=1, description="probability that the turn is over")


class SpokenWord(BaseModel):
    """One word of an utterance and when it sounds inside it."""

    model_config = ConfigDict(frozen=True)

    text: PersonalText
    start_ms: int
    end_ms: int


class SpeechSynthesized(Event, name="speech.synthesized", owner="tts-worker"):
    """All audio of an utterance is on the bus."""

    example: ClassVar = {
        "utterance_seq": 1,
        "duration_ms": 1840,
        "characters": 27,
        "first_audio_ms": 3,
        "provider": "espeak-ng",
    }

    utterance_seq: UtteranceSeq
    duration_ms: int = Field(ge=0)
    characters: int = Field(ge=0)
    first_audio_ms: int = Field(ge=0, description="from the command's arrival to its first frame on the bus")
    provider: str
    failed: bool = Field(default=False, description="no voice could say it, or not to its end")
    words: tuple[SpokenWord, ...] = Field(default=(), description="empty where the engine gives no word times")
