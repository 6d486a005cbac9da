"""Recordings as the score uses them: sound, where its voice is, and its words by position."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voxbus_audio import SAMPLE_RATE_HZ, read_audio_16k

Samples = NDArray[np.int16]
Span = tuple[int, int]
"""From, to; ms."""

SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ // 1_000
_FLOOR_MS: Final = 20


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it sounds, ms."""

    text: str
    start_ms: int
    end_ms: int

    def moved(self, by_ms: int) -> "Word":
        return Word(self.text, self.start_ms + by_ms, self.end_ms + by_ms)


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording. `voice` = labelled voice; `words` are laid over it by their length, for nobody labelled them."""

    name: str
    kind: str
    speaker: str
    samples: Samples
    voice: tuple[Span, ...]
    words: tuple[Word, ...]
    labels: dict[str, Any]

    @property
    def start_ms(self) -> int:
        return self.voice[0][0]

    @property
    def end_ms(self) -> int:
        return self.voice[-1][1]

    @property
    def half(self) -> str:
        return half_of(self.name)


def half_of(name: str) -> str:
    """Which half a recording is in, whatever else there is: "tune" or "report"."""
    return ("tune", "report")[hashlib.sha256(f"half:{name}".encode()).digest()[0] & 1]


def clip_of(row: dict[str, Any]) -> Clip:
    """The clip of a row of the manifest (with its `file`)."""
    samples = np.frombuffer(read_audio_16k(row["file"]), np.int16)
    voice = tuple((round(start * 1_000), round(stop * 1_000)) for start, stop in row["vad_silero"] or ())
    words = plain_words(row["transcript"] or "")
    return Clip(
        name=row["id"],
        kind=row["kind"],
        speaker=row["speaker"] or row["id"],
        samples=samples,
        voice=voice,
        words=laid_over(words, voice),
        labels=row["labels"] or {},
    )


def plain_words(text: str) -> list[str]:
    """As a recognizer without punctuation writes them."""
    kept = "".join(c if c.isalnum() or c in "' " else " " for c in text.lower().replace("’", "'"))
    return [word.strip("'") for word in kept.split() if word.strip("'")]


def laid_over(words: Sequence[str], voice: Sequence[Span]) -> tuple[Word, ...]:
    """The words one after the other over the voiced time, each as long as it has letters."""
    if not words or not voice:
        return ()
    voiced_ms = sum(stop - start for start, stop in voice)
    letters = sum(len(word) + 1 for word in words)
    laid: list[Word] = []
    at = 0.0
    for word in words:
        length = voiced_ms * (len(word) + 1) / letters
        laid.append(Word(word, _position(at, voice), _position(at + length - 1, voice) + 1))
        at += length
    return tuple(laid)


def _position(voiced_ms: float, voice: Sequence[Span]) -> int:
    """Where so much voice has sounded."""
    left = voiced_ms
    for start, stop in voice:
        if left < stop - start:
            return round(start + left)
        left -= stop - start
    return voice[-1][1]


def cut(samples: Samples, start_ms: float, stop_ms: float) -> Samples:
    return samples[max(0, round(start_ms * SAMPLES_PER_MS)) : max(0, round(stop_ms * SAMPLES_PER_MS))]


def background(samples: Samples, length_ms: int, rng: np.random.Generator) -> Samples:
    """Noise as loud as the recording's own quietest twentieth, at most -60 dBFS: what a line sounds like in a pause."""
    step = _FLOOR_MS * SAMPLES_PER_MS
    frames = samples[: len(samples) // step * step].reshape(-1, step).astype(np.float64)
    levels = np.sqrt((frames**2).mean(axis=1)) if len(frames) else np.zeros(1)
    level = min(float(np.quantile(levels, 0.05)), 32.0)
    return np.round(rng.normal(0.0, max(level, 1.0), length_ms * SAMPLES_PER_MS)).astype(np.int16)


def quietest_near(samples: Samples, at_ms: int, within_ms: int = 120) -> int:
    """The middle of the quietest 20 ms around a place: most likely between two words."""
    best, best_level = at_ms, float("inf")
    for centre in range(at_ms - within_ms, at_ms + within_ms + 1, 10):
        piece = cut(samples, centre - 10, centre + 10).astype(np.float64)
        level = float((piece**2).mean()) if len(piece) else float("inf")
        if level < best_level:
            best, best_level = centre, level
    return best
