"""What is kept of a call when it is over. Each may come again with more in it: the latest counts."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxbus_contracts.message import Event


class RecordedFile(BaseModel):
    """One finished file in the object store."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    track: Literal["stereo", "mono", "customer", "assistant"]
    key: str
    format: Literal["wav", "mp3"]
    size_bytes: int = Field(ge=0)


class RecordingStored(Event, name="recording.stored", owner="recorder"):
    """The call's recording is in the object store, ready to be signed for. Its first sample is call.started's."""

    example: ClassVar = {
        "files": [
            {
                "track": "stereo",
                "key": "00000000-0000-4000-8000-000000000001/6f1c…/recording/stereo.wav",
                "format": "wav",
                "size_bytes": 3920044,
            }
        ],
        "start_pts_ms": 0,
        "duration_ms": 61240,
        "missing_ms": 0,
    }

    files: tuple[RecordedFile, ...]
    start_pts_ms: int = Field(ge=0, description="the first sample's place on the audio clock")
    duration_ms: int = Field(ge=0)
    missing_ms: int = Field(
        ge=0, description="of the caller's audio, lost for good: silence is in its place; a fault.raised says so too"
    )


class ArchiveStored(Event, name="archive.stored", owner="recorder"):
    """The call's whole log is in the object store; comes again when something was said afterwards."""

    example: ClassVar = {
        "key": "00000000-0000-4000-8000-000000000001/6f1c…/archive/log.jsonl.zst",
        "size_bytes": 18230,
        "sha256": "9f2c51",
        "messages": 412,
        "last_stream_seq": 90211,
    }

    key: str
    size_bytes: int
    sha256: str = Field(description="hex, of the object's bytes")
    messages: int
    last_stream_seq: int = Field(description="of the last message in it")


class CallDeleted(Event, name="call.deleted", owner="control-api"):
    """Everything that is stored of an ended call is to go, now and for good; nothing more of it is stored."""

    example: ClassVar = {}
