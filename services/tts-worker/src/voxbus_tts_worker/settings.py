"""What an operator may set."""

from typing import Any

from pydantic import Field

from voxbus_runtime.guard import Guard
from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the tts-worker; environment `VOXBUS_TTS_…`."""

    tts_default: str = ""
    """Engine of calls that do not name one: espeak-ng, flite or stub. Empty = espeak-ng where it is installed, else
    flite. Started with the service, so that no call waits."""

    tts_processes: int = Field(default=1, ge=1, le=64)
    """Child processes of each engine. espeak-ng is some 200 times faster than speech, flite some 50 times: one serves
    a hundred calls."""

    tts_ahead_ms: int = Field(default=10_000, ge=1_000, le=120_000)
    """Audio of one sentence that is sent ahead of real time, ms. Long enough for nearly every sentence to leave whole,
    short enough that little is made for nothing when the caller interrupts a long one."""

    tts_timeout_ms: int = Field(default=3_000, ge=100, le=60_000)
    """Patience for the next piece of audio, ms; then the engine counts as lost and another is tried."""

    @property
    def engine_arguments(self) -> dict[str, dict[str, Any]]:
        """What each engine is made with."""
        own = {"custom-voice": {"guard": Guard.parse(self.guard_allow), "cluster_key": self.cluster_key}}
        return {name: {"processes": self.tts_processes} for name in ("espeak-ng", "flite")} | own
