"""Speech-like sound made from nothing: a buzzing voice through the resonances of three vowels."""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
VOWELS_HZ = ((730, 1_090, 2_440), (270, 2_290, 3_010), (300, 870, 2_240))
"""First three formants of ah, ee, oo (Peterson and Barney 1952, men)."""


def vowels(seconds_each: float = 0.5) -> bytes:
    """ah-ee-oo with pauses between, mono s16le 16 kHz; always the same samples."""
    pause = np.zeros(int(0.08 * RATE_HZ))
    parts = [part for formants in VOWELS_HZ for part in (pause, _vowel(formants, seconds_each))]
    return (np.concatenate([*parts, pause]) * 8_000).astype("<i2").tobytes()


def _vowel(formants_hz: tuple[int, ...], seconds: float) -> NDArray[np.float64]:
    count = int(seconds * RATE_HZ)
    at_s = np.arange(count) / RATE_HZ
    pulses = np.zeros(count)
    phase = np.cumsum(120 - 20 * at_s / seconds) / RATE_HZ
    pulses[np.flatnonzero(np.diff(np.floor(phase)))] = 1.0
    sound = pulses
    for formant_hz in formants_hz:
        decay = np.exp(-90 * np.pi * np.arange(400) / RATE_HZ)
        ringing = decay * np.sin(2 * np.pi * formant_hz * (np.arange(400) + 1) / RATE_HZ)
        sound = np.convolve(sound, ringing)[:count]
    fade = np.minimum(1.0, np.minimum(at_s, at_s[::-1]) / 0.03)
    return sound / np.abs(sound).max() * fade
