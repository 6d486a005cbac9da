"""Something went wrong that the call survived, or that explains its end."""

from typing import ClassVar

from pydantic import Field

from voxbus_contracts.message import Event


class FaultRaised(
    Event,
    name="fault.raised",
    owner=(
        "media-ingress",
        "vad",
        "stt-worker",
        "llm-orchestrator",
        "tts-worker",
        "tool-runner",
        "recorder",
        "billing",
        "control-api",
    ),
):
    """A fault in one stage. `detail` never holds personal data or secrets."""

    example: ClassVar = {"code": "model-timeout", "detail": "no token after 5000 ms", "retryable": True}

    code: str
    detail: str
    retryable: bool = Field(default=False)
