"""Sound that a voice activity detector takes for speech, made of nothing but arithmetic; and the recordings, if any."""

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from voxbus_audio import hush, speechlike
from voxbus_contracts.assistant import WordLabel

__all__ = ["LabelledSpeech", "hush", "recordings", "recordings_dir", "saying", "speechlike"]


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


@functools.lru_cache(maxsize=256)
def saying(text: str, word_ms: int = 300) -> LabelledSpeech:
    """`text` as speech-like sound, each word `word_ms` long. Made once: other callers wait while it is made."""
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
