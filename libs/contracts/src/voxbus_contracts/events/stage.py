"""Who owns which part of a call."""

from typing import ClassVar

from pydantic import Field

from voxbus_contracts.message import Event

_OWNERS = ("media-ingress", "vad", "stt-worker", "llm-orchestrator", "tts-worker", "recorder")


class StageClaimed(Event, name="stage.claimed", owner=_OWNERS):
    """An owner's first act. From here every reader ignores lower epochs of that stage, audio included."""

    example: ClassVar = {"stage": "vad", "epoch": 17, "worker": "vad-3f9a01", "address": "127.0.0.1:41123"}

    stage: str
    epoch: int = Field(ge=1, description="revision of the stage's key in OWNERS: the fencing token")
    worker: str
    address: str = Field(description="gRPC address of the owner")


class StageReleased(Event, name="stage.released", owner=_OWNERS):
    """The owner gave the call back: it drained, or the call ended."""

    example: ClassVar = {"stage": "vad", "epoch": 17, "worker": "vad-3f9a01", "reason": "draining"}

    stage: str
    epoch: int
    worker: str
    reason: str = Field(description="draining | ended | failed")
