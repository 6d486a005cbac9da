"""Settings of the recorder (`VOXBUS_RECORDER_…`)."""

from pathlib import Path

from pydantic import Field

from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Everything that can be set."""

    slots: int = Field(default=1_000, ge=1)
    """Calls one worker records at a time; each costs two subscriptions and at most 0.7 MB."""

    overload_lag_ms: float = Field(default=5_000, ge=10, le=10_000)
    """Recorders come last on a busy machine and nobody hears it; a call that is left on the queue for that would lose
    what is older than AUDIO keeps."""

    audio_listen_every_ms: float = Field(default=20, ge=0, le=200)
    """A recording is in no hurry: what comes within one frame's time is read together."""

    recorder_spool: Path | None = None
    """Where segments wait while the object store fails; empty = `recorder/spool` in data_dir."""

    recorder_memory_bytes: int = Field(default=64 * 1024 * 1024, ge=1024 * 1024)
    """Segments held in memory when the spool fails too: some 17 minutes of one call. Beyond it the newest is lost."""

    recorder_keep_days: float = Field(default=0, ge=0)
    """Recordings older than this are deleted, days; 0 = kept until their call is deleted."""

    recorder_keep_archives_days: float = Field(default=0, ge=0)
    """The same for archives of calls' logs."""

    recorder_settle_ms: int = Field(default=2_000, ge=0)
    """An ended call's log is archived when nothing was said for this long; what comes later is added."""

    @property
    def spool_folder(self) -> Path:
        return self.recorder_spool or self.data_dir / "recorder" / "spool"
