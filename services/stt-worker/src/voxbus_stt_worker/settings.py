"""What an operator may set."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field

from voxbus_runtime.guard import Guard
from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the stt-worker; environment `VOXBUS_STT_…`."""

    stt_default: str = "pocketsphinx"
    """Recognizer of calls that ask for none that is installed; started with the service, so that no call waits."""

    stt_processes: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 1) // 2), ge=1, le=256)
    """Child processes of pocketsphinx: it holds the GIL. Half of the cores; the rest is for the other services."""

    stt_decoders_per_process: int = Field(default=4, ge=1, le=64)
    """Utterances one process decodes side by side; 91 MB each, made when needed. Four keep one core half busy."""

    stt_bias: bool = True
    """Whether pocketsphinx prefers the words an assistant expects (keyterms, script, tools); the general model else."""

    stt_vosk_model: Path | None = None
    """Folder of the model vosk recognizes with; `voxbus models pull` gets one. None = no call can have vosk."""

    stt_sherpa_model: Path | None = None
    """Folder of the transducer model sherpa-onnx recognizes with; the same."""

    stt_final_timeout_ms: int = Field(default=5_000, ge=100, le=60_000)
    """Patience for a final hearing beyond the length of its audio; then the recognizer counts as lost, ms."""

    stt_attempts: int = Field(default=3, ge=1, le=10)
    """Recognizer sessions tried on one utterance before its final is empty, so that the conversation goes on."""

    @property
    def engine_arguments(self) -> dict[str, dict[str, Any]]:
        """What each engine is made with."""
        return {
            "pocketsphinx": {
                "processes": self.stt_processes,
                "decoders_per_process": self.stt_decoders_per_process,
                "models": self.data_dir / "recognition" if self.stt_bias else None,
            },
            "vosk": {"model": self.stt_vosk_model, "processes": self.stt_processes},
            "sherpa": {"model": self.stt_sherpa_model, "processes": self.stt_processes},
            "custom-transcriber": {"guard": Guard.parse(self.guard_allow), "cluster_key": self.cluster_key},
        }
