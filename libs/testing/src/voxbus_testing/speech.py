"""Sound that a voice activity detector takes for speech, made of nothing but arithmetic; and the recordings, if any."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxbus_contracts.assistant import WordLabel

RATE_HZ = 16_000


def speechlike(length_ms: int, seed: int = 1) -> bytes:
    """Vowel-like sound, mono s16le 16 kHz: a 120 Hz pulse train through three formants, louder and softer at 5 Hz."""
    count = RATE_HZ * length_ms // 1000
    rng = np.random.default_rng(seed)
    t = np.arange(count) / RATE_HZ
    pitch = 120 + 12 * np.sin(2 * np.pi * 3 * t + rng.random())
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    wave = np.zeros(count)
    for harmonic in range(1, 30):
        hz = 120 * harmonic
        gain = sum(a / (1 + ((hz - f) / b) ** 2) for f, b, a in ((650, 90, 1.0), (1200, 110, 0.7), (2500, 160, 0.35)))
        wave += gain * np.sin(harmonic * phase)
    wave *= 0.75 + 0.25 * np.sin(2 * np.pi * 5 * t)
    wave += 0.01 * rng.standard_normal(count)
    return (wave / np.abs(wave).max() * 9_000).astype("<i2").tobytes()


def hush(length_ms: int, seed: int = 2) -> bytes:
    """The noise of a quiet line, -74 dBFS."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(RATE_HZ * length_ms // 1000) * 6).astype("<i2").tobytes()


@dataclass(frozen=True)
class LabelledSpeech:
    """A stretch of speech-like sound and the words it stands for, for the position recognizer."""

    pcm: bytes
    labels: tuple[WordLabel, ...]

    @property
    def length_ms(self) -> int:
        return len(self.pcm) // 32

    def labels_at(self, start_ms: int) -> list[dict[str, Any]]:
        """The labels on the caller's clock when the sound starts there."""
        return [
            {"text": label.text, "start_ms": label.start_ms + start_ms, "end_ms": label.end_ms + start_ms}
            for label in self.labels
        ]


def saying(text: str, word_ms: int = 300) -> LabelledSpeech:
    """`text` as speech-like sound, each word `word_ms` long."""
    words = text.split()
    labels = tuple(
        WordLabel(text=word, start_ms=index * word_ms, end_ms=(index + 1) * word_ms) for index, word in enumerate(words)
    )
    return LabelledSpeech(speechlike(word_ms * len(words)), labels)


def recordings_dir() -> Path:
    """Where the recordings are: VOXBUS_SPEECH_DIR, or `shared/speech` beside the repository."""
    configured = os.environ.get("VOXBUS_SPEECH_DIR")
    return Path(configured) if configured else Path(__file__).resolve().parents[4].parent / "shared" / "speech"


def recordings() -> list[dict[str, Any]]:
    """Rows of the manifest, `file` added; skips the test where there are no recordings."""
    folder = recordings_dir()
    manifest = folder / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip(f"needs the recordings: no {manifest}; set VOXBUS_SPEECH_DIR")
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [{**row, "file": folder / row["path"].removeprefix("shared/").removeprefix("speech/")} for row in rows]
