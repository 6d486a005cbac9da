"""Every instrument and span name of this service."""

from typing import Final

from prometheus_client import Counter, Histogram

FIRST_AUDIO: Final = Histogram(
    "tts_first_audio_seconds",
    "From a sentence's arrival to its first frame on the bus, seconds",
    ["engine"],
    buckets=tuple(ms / 1_000 for ms in (1, 2, 3, 5, 7.5, 10, 20, 30, 50, 100, 200, 500, 1_000, 3_000)),
)
"""Includes the wait behind the sentence before it. Sentences that a takeover says again are left out."""

SENTENCES: Final = Counter("tts_sentences", "Sentences, by how they ended: spoken, cancelled or failed", ["ended"])

FAULTS: Final = Counter("tts_faults", "Failures of a voice, by engine and code", ["engine", "code"])

REPUBLISHED_FRAMES: Final = Counter("tts_republished_frames", "Messages with frames said again after a loss")

VOICE_SPAN: Final = "voice"
"""Under the turn: from a sentence's arrival to its last frame on the bus; the moment `first-frame` lies between."""
