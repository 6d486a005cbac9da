"""Every instrument of this service."""

from typing import Final

from prometheus_client import Counter, Histogram

BROKEN_FRAMES: Final = Counter("vad_broken_frames", "Frames that are not 20 ms long, taken for silence")

SPEECH_EVENTS: Final = Counter("vad_speech_events", "Starts and stops of speech published", ["name"])

FAILED_CATCH_UPS: Final = Counter("vad_failed_catch_ups", "Takeovers that went on live without the missed audio")

UNSURE_FRAMES: Final = Counter(
    "vad_unsure_frames", "Frames the cheap detector was unsure of, by who decided", ["decided_by"]
)
"""decided_by: silero, or cheap where Silero failed or came too late. Counted only when Silero is on."""

SILERO_BATCH: Final = Histogram(
    "vad_silero_batch_size", "Calls asked about in one inference", buckets=(1, 2, 4, 8, 16, 32, 64)
)

SILERO_FAILURES: Final = Counter("vad_silero_failures", "Inferences that failed")

TURN_MODEL_SECONDS: Final = Histogram(
    "vad_turn_model_seconds",
    "From speech.stopped to the turn model's answer",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)

TURN_MODEL_SKIPPED: Final = Counter(
    "vad_turn_model_skipped", "Stops not judged by the turn model, by reason", ["reason"]
)
"""reason: busy (too many stops wait), failed (the inference)."""
