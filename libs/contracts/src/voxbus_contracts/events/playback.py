"""What left media-ingress towards the caller: the truth about what was heard.

Order per utterance: Started, (Progressed | Paused, Resumed)*, (Finished | Cleared).
"""

from typing import ClassVar

from pydantic import Field

from voxbus_contracts.message import Event, PtsMs, UtteranceSeq


class PlaybackStarted(Event, name="playback.started", owner="media-ingress"):
    """The first sample of an utterance left. `v2v_ms` is there when the say command had an anchor."""

    example: ClassVar = {
        "utterance_seq": 1,
        "pts_ms": 3420,
        "anchor_pts_ms": 2860,
        "v2v_ms": 561.2,
        "left_pts_ms": 3421.2,
    }

    utterance_seq: UtteranceSeq
    pts_ms: PtsMs
    anchor_pts_ms: int | None = None
    v2v_ms: float | None = Field(
        default=None, description="first sample leaving − arrival of the caller's last voiced sample, one clock"
    )
    left_pts_ms: float | None = Field(
        default=None, description="the same moment as pts_ms, where the audio clock stood, not rounded to frames"
    )
    waited_ms: float = Field(
        default=0.0, description="first frame at media-ingress, and released if it was held → leaving"
    )
    voice_bus_ms: float = Field(default=0.0, description="first frame made by the voice → arrived at media-ingress")


class PlaybackProgressed(Event, name="playback.progressed", owner="media-ingress"):
    """At most two a second while an utterance sounds."""

    example: ClassVar = {"utterance_seq": 1, "played_ms": 500, "pts_ms": 3920}

    utterance_seq: UtteranceSeq
    played_ms: int
    pts_ms: PtsMs


class PlaybackPaused(Event, name="playback.paused", owner="media-ingress"):
    """The line is quiet in the middle of an utterance; the rest is kept."""

    example: ClassVar = {
        "utterance_seq": 1,
        "played_ms": 620,
        "pts_ms": 4040,
        "reason": "reflex",
        "min_voiced_ms": 200,
        "voiced_to_silent_ms": 218.4,
    }

    utterance_seq: UtteranceSeq
    played_ms: int
    pts_ms: PtsMs
    reason: str = Field(description="reflex | command")
    min_voiced_ms: int = Field(default=0, ge=0, description="the voice it took")
    voiced_to_silent_ms: float | None = Field(
        default=None, description="arrival of the caller's first voiced sample → the line is silent, one clock"
    )


class PlaybackResumed(Event, name="playback.resumed", owner="media-ingress"):
    """Goes on with the very next sample."""

    example: ClassVar = {"utterance_seq": 1, "played_ms": 620, "pts_ms": 4440, "reason": "command"}

    utterance_seq: UtteranceSeq
    played_ms: int
    pts_ms: PtsMs
    reason: str = Field(description="command | no-decision")


class PlaybackFinished(Event, name="playback.finished", owner="media-ingress"):
    """The last sample of an utterance left."""

    example: ClassVar = {"utterance_seq": 1, "played_ms": 1840, "pts_ms": 5260}

    utterance_seq: UtteranceSeq
    played_ms: int
    pts_ms: PtsMs


class PlaybackCleared(Event, name="playback.cleared", owner="media-ingress"):
    """All utterances up to a number are gone; frames of them that still come are dropped."""

    example: ClassVar = {"up_to_utterance_seq": 4, "utterance_seq": 3, "played_ms": 620, "pts_ms": 4240}

    up_to_utterance_seq: int
    utterance_seq: int = Field(ge=0, description="the one that sounded or was paused; 0 = none")
    played_ms: int = Field(ge=0, description="of that one")
    pts_ms: PtsMs
