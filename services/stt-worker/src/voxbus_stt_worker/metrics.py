"""Every instrument and span name of this service."""

from typing import Final

from prometheus_client import Counter, Histogram

RECOGNITION: Final = Histogram(
    "stt_recognition_seconds",
    "From the arrival of speech.stopped to transcript.final, seconds",
    ["provider"],
    buckets=tuple(ms / 1_000 for ms in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)),
)

FAULTS: Final = Counter("stt_faults", "Errors of recognizers", ["provider", "code"])

GIVEN_UP: Final = Counter("stt_given_up_utterances", "Utterances with an empty final because recognition failed")

HOLES: Final = Counter("stt_holes", "Holes in the caller's audio that were asked of the stream")

BROKEN_FRAMES: Final = Counter("stt_broken_frames", "Frames that are not 20 ms long, taken for silence")

MODEL_BUILD: Final = Histogram(
    "stt_model_build_seconds",
    "From asking for an assistant's own language model until it is written, seconds",
    buckets=tuple(ms / 1_000 for ms in (50, 100, 200, 300, 500, 1_000, 2_000, 5_000)),
)

MODELS_MISSED: Final = Counter("stt_models_missed", "Calls heard with the general model though the assistant has terms")

RECOGNITION_SPAN: Final = "recognition"
"""Under the turn: from the arrival of speech.stopped to transcript.final."""
