"""Test tones and the measure that finds them again."""

import math

import numpy as np

from voxbus_audio.format import S16LE, SAMPLE_RATE_HZ, samples_of


def sine(hz: float, ms: float, amplitude: float = 0.3, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """Gives mono s16le PCM of one sine, phase 0 at the start; `amplitude` 1.0 is full scale."""
    if not 0.0 <= amplitude <= 1.0:
        raise ValueError(f"amplitude: {amplitude} is outside 0..1")
    at = np.arange(round(sample_rate_hz * ms / 1000.0))
    wave = amplitude * 32_767.0 * np.sin(2.0 * math.pi * hz / sample_rate_hz * at)
    return np.rint(wave).astype(S16LE).tobytes()


def silence(ms: float, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """Gives mono s16le PCM of digital silence."""
    return bytes(2 * round(sample_rate_hz * ms / 1000.0))


def tone_power(pcm: bytes, hz: float, sample_rate_hz: int = SAMPLE_RATE_HZ) -> float:
    """Measures the power at one frequency, relative to a full-scale sine: `sine(hz, ms, a)` reads a squared.

    The single Fourier bin that Goertzel's recurrence computes, at exactly `hz`, under a Hann window so that a
    loud tone four or more bins (4000 / length in ms, in Hz) away does not leak into the answer. 0.0 for no samples.
    """
    samples = samples_of(pcm).astype(np.float64) / 32_767.0
    if not samples.size:
        return 0.0
    at = np.arange(samples.size)
    window = 0.5 - 0.5 * np.cos(2.0 * math.pi * (at + 0.5) / samples.size)
    turn = np.exp(-2j * math.pi * hz / sample_rate_hz * at)
    return float(abs(2.0 * np.dot(samples * window, turn) / window.sum()) ** 2)
