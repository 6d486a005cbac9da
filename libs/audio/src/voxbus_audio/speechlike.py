"""Sound that a voice activity detector takes for speech, made of nothing but arithmetic; and the quiet of a line."""

import numpy as np

from voxbus_audio.format import SAMPLE_RATE_HZ


def speechlike(length_ms: int, seed: int = 1) -> bytes:
    """Vowel-like sound, mono s16le 16 kHz: a 120 Hz pulse train through three formants, louder and softer at 5 Hz."""
    count = SAMPLE_RATE_HZ * length_ms // 1000
    rng = np.random.default_rng(seed)
    t = np.arange(count) / SAMPLE_RATE_HZ
    pitch = 120 + 12 * np.sin(2 * np.pi * 3 * t + rng.random())
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
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
    return (rng.standard_normal(SAMPLE_RATE_HZ * length_ms // 1000) * 6).astype("<i2").tobytes()
