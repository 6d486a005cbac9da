"""What an operator may set."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from voxbus_runtime.settings import ServiceSettings
from voxbus_vad.detector import Hysteresis
from voxbus_vad.errors import SileroMissing
from voxbus_vad.silero import check_silero_installed


class Settings(ServiceSettings):
    """Settings of vad; environment `VOXBUS_VAD_…`."""

    vad_engine: Literal["webrtc", "silero"] = "webrtc"
    """Who decides where the cheap detector is unsure. silero needs requirements/silero.lock; webrtc is free."""

    vad_start_voiced_ms: int = Field(default=60, ge=20, le=2_000)
    """Voice inside the start window that starts a stretch of speech, ms: three frames, more than a click has."""

    vad_start_window_ms: int = Field(default=100, ge=20, le=2_000)
    """The start window, ms: two frames of a soft start may be missed."""

    vad_silence_ms: int = Field(default=200, ge=20, le=5_000)
    """Silence that ends a stretch of speech, ms: longer than the stop of a consonant, shorter than a pause."""

    vad_pause_ms: int = Field(default=40, ge=20, le=5_000)
    """Silence that is told as a pause on calls that speculate, ms: two frames, so that whoever prepares an answer at 60
    has heard of it by then."""

    vad_quiet_dbfs: float = Field(default=-55.0, ge=-120.0, le=0.0)
    """Frames below this level (RMS, dBFS) are silent without asking. Measured on recordings: at -50 a caller 20 dB too
    soft loses a quarter of the stretches, at -60 half as many again start without speech."""

    vad_unsure_mode: int = Field(default=2, ge=0, le=3)
    """WebRTC aggressiveness that decides an unsure frame when Silero does not: the middle of the two asked first."""

    vad_silero_asks: Literal["unsure", "voiced"] = "unsure"
    """Which frames Silero is asked about: those the cheap detector is unsure of, or all it does not call silent. voiced
    keeps loud noise from counting as speech (143 false starts in 8 min of noises became 3) for up to 7 times the asks.
    """

    vad_silero_threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Probability from which Silero calls a frame voiced: the model's own default."""

    vad_silero_wait_ms: int = Field(default=60, ge=20, le=500)
    """Newer audio after which an unanswered frame is decided without Silero, ms: three frames."""

    vad_silero_tick_ms: float = Field(default=5.0, ge=0.0, le=20.0)
    """How long asks of different calls are collected before one inference, ms: a quarter of a frame."""

    vad_silero_batch_size: int = Field(default=64, ge=1, le=512)
    """Asks after which an inference starts at once; beyond 64 a larger batch costs no less per call."""

    vad_prosody: bool = True
    """Says with each stop how likely the caller has finished, by level and pitch of the last second and a half. Costs
    2 to 4 ms of a core a stop."""

    vad_turn_model: Path | None = None
    """File of a Smart Turn v3 model (ONNX): says after each stop how likely the caller has finished, by the sound.
    Needs requirements/silero.lock, and a core that runs it in less than 50 ms. Without it the words decide."""

    vad_turn_model_waiting: int = Field(default=4, ge=1, le=64)
    """Stops of all calls that may wait for the turn model; further ones are not judged: late is as good as never."""

    vad_replay_ms: int = Field(default=3_000, ge=0, le=30_000)
    """Audio heard again at a takeover, ms, so that a word said while nobody listened counts: the 1 s after which a
    silent worker is suspected, and the time to claim its calls, twice over. 0 = only live audio."""

    @field_validator("vad_engine")
    @classmethod
    def _engine_is_installed(cls, engine: str) -> str:
        if engine == "silero":
            try:
                check_silero_installed()
            except SileroMissing as missing:
                raise ValueError(str(missing)) from missing
        return engine

    @model_validator(mode="after")
    def _voice_fits_into_the_window(self) -> Self:
        if self.vad_start_voiced_ms > self.vad_start_window_ms:
            raise ValueError(
                f"vad_start_voiced_ms: {self.vad_start_voiced_ms} does not fit into "
                f"vad_start_window_ms ({self.vad_start_window_ms}), so speech would never start"
            )
        return self

    @property
    def hysteresis(self) -> Hysteresis:
        return Hysteresis(self.vad_start_voiced_ms, self.vad_start_window_ms, self.vad_silence_ms)
