"""The caller's transport."""

from typing import Annotated, ClassVar

from pydantic import Field

from voxbus_contracts.message import Event, Personal, PtsMs


class MediaAttached(Event, name="media.attached", owner="media-ingress"):
    """A transport carries the caller's audio from `pts_ms` on; a newer attachment replaces it."""

    example: ClassVar = {
        "attachment": 12,
        "transport": "vapi.websocket",
        "encoding": "pcm_s16le",
        "sample_rate_hz": 16000,
        "pts_ms": 0,
        "resumed": False,
    }

    attachment: int = Field(ge=1, description="epoch of media-ingress in OWNERS")
    transport: str
    encoding: str
    sample_rate_hz: int
    pts_ms: PtsMs
    resumed: bool = Field(description="an earlier attachment of this call existed")


class MediaDetached(Event, name="media.detached", owner="media-ingress"):
    """The transport is gone. `clean` ends the call; otherwise the resume window runs."""

    example: ClassVar = {"attachment": 12, "pts_ms": 5120, "clean": False, "code": 1006, "reason": "connection lost"}

    attachment: int
    pts_ms: PtsMs
    clean: bool
    code: int = Field(description="WebSocket close code, 1006 when there was none")
    reason: str = ""


class DtmfReceived(Event, name="dtmf.received", owner="media-ingress"):
    """The caller pressed keys."""

    example: ClassVar = {"digits": "1", "pts_ms": 2040}

    digits: Annotated[str, Field(pattern=r"^[0-9*#A-D]+$", json_schema_extra=Personal)]
    pts_ms: PtsMs
