"""How the end of a stretch of speech sounds: level, pitch and length of its last syllables, as numbers. Pure.

Who has finished mostly lets level and pitch fall and draws the last syllable out; who has not stops in full voice. All
numbers but two are relative to the same caller's last second and a half. Only what a telephone line carries is looked
at (below 4 kHz). Levels are dB in steps of 10 ms; pitch, in octaves, is the peak of the autocorrelation of windows of
32 ms, 20 ms apart. One stop takes 1.4 to 2 ms of a core (November 2026, a shared one): other callers' frames would wait
for it, so it is done in steps of a quarter of that at most.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from voxbus_audio import SAMPLE_RATE_HZ

BEFORE_MS: Final = 1_500
AFTER_MS: Final = 60
"""The sound looked at lies this long before and after the last voiced sample."""

SOUND_SAMPLES: Final = (BEFORE_MS + AFTER_MS) * SAMPLE_RATE_HZ // 1_000
FEATURES: Final = (
    *("level_0", "level_30", "level_60", "level_100", "level_150", "level_200", "level_300"),
    *("slope_100", "slope_200", "slope_400", "since_10_db", "since_15_db"),
    *("voiced_length", "since_voiced", "voiced_share", "voiced_level", "voiced_end_level", "voiced_top_level"),
    *("pitch_end", "pitch_last", "pitch_above_low", "pitch_in_range", "pitch_slope", "pitch_drop"),
    *("periodicity_end", "periodicity_rise", "hiss", "hiss_before", "hiss_rise"),
)
"""Names of the numbers, in the order in which they come."""

_RATE_HZ: Final = 8_000
_STEP: Final = 80
_HOP: Final = 2 * _STEP
_WINDOW: Final = 256
_FFT: Final = 512
_SHORTEST_LAG: Final = _RATE_HZ // 400
_LONGEST_LAG: Final = _RATE_HZ // 70
_WINDOWS_AT_A_TIME: Final = 20
_FAINT_DB: Final = -25.0
"""Against the loudest of the window: no part of the voice any more."""
_QUIETEST_DB: Final = -60.0
_PERIODIC: Final = 0.6
_LEVEL_STEPS: Final = ((0, 3), (3, 6), (6, 10), (10, 15), (15, 20), (20, 30), (30, 40))
_SLOPE_STEPS: Final = (10, 20, 40)
_FULL_SCALE: Final = 65_536.0
"""Of two added samples."""

Floats = NDArray[np.floating]
T = TypeVar("T")


def _autocorrelation(windows: Floats) -> tuple[Floats, Floats]:
    """Of each window, and its power spectrum."""
    power = np.abs(np.fft.rfft(windows, _FFT)) ** 2
    return np.fft.irfft(power)[:, :_LONGEST_LAG], power


_HANN: Final = np.hanning(_WINDOW).astype(np.float32)
_OF_HANN: Final = _autocorrelation(_HANN[np.newaxis])[0][0]
_LAGS: Final = np.arange(_SHORTEST_LAG, _LONGEST_LAG)
_UNTAPERED: Final = (_OF_HANN[0] / _OF_HANN[_SHORTEST_LAG:]).astype(np.float32)
_RATHER_HIGH: Final = (1 - 0.12 * np.log2(_LAGS / _SHORTEST_LAG) / np.log2(_LONGEST_LAG / _SHORTEST_LAG)).astype(
    np.float32
)
"""Twice the period fits as well as the period: the shorter lag is preferred."""
_OCTAVES: Final = np.log2(_RATE_HZ / _LAGS)
_HZ: Final = np.fft.rfftfreq(_FFT, 1 / _RATE_HZ)
_LOW_BAND: Final = (_HZ > 80) & (_HZ <= 1_000)
_HIGH_BAND: Final = _HZ > 2_000


@dataclass(frozen=True, slots=True)
class _Track:
    """Windows loud enough to be voice, oldest first: where they are (in steps of 10 ms), and what is measured there."""

    at: NDArray[np.intp]
    octaves: Floats
    periodicity: Floats
    hiss: Floats


def prosody(sound: NDArray[np.int16]) -> Floats:
    """The numbers, as FEATURES names them, of SOUND_SAMPLES samples around the last voiced one."""
    return at_once(prosody_in_steps(sound))


def at_once(steps: Generator[None, None, T]) -> T:
    """What comes of the steps, one directly after the other."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def prosody_in_steps(sound: NDArray[np.int16]) -> Generator[None, None, Floats]:
    """The same; something else may be done at each step."""
    samples = (sound[::2].astype(np.float32) + sound[1::2]) / _FULL_SCALE
    samples -= samples.mean()
    levels = _levels(samples)
    loud = np.flatnonzero(levels > _FAINT_DB)
    last = int(loud[-1])
    yield
    track = yield from _track(samples, levels)
    numbers = _of_level(levels, last)
    yield
    numbers += _of_voice(track, levels, last)
    yield
    return np.array([*numbers, *_of_hiss(track, last)])


def _levels(samples: Floats) -> Floats:
    """Power of each 10 ms, smoothed over 30, dB against the loudest twentieth."""
    power = (samples.reshape(-1, _STEP) ** 2).mean(axis=1)
    power[1:-1] = (power[:-2] + power[1:-1] + power[2:]) / 3
    decibels = 10 * np.log10(power + 1e-9)
    return decibels - _quantile(np.sort(decibels), 0.95)


def _track(samples: Floats, levels: Floats) -> Generator[None, None, _Track]:
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    at = 2 * np.arange(len(windows)) + 1
    at = at[levels[at] > _FAINT_DB]
    measured: list[tuple[Floats, Floats, Floats]] = []
    for begins in range(0, max(1, len(at)), _WINDOWS_AT_A_TIME):
        piece = windows[at[begins : begins + _WINDOWS_AT_A_TIME] // 2]
        measured.append(_measured(piece))
        yield
    octaves, periodicity, hiss = (np.concatenate(parts) for parts in zip(*measured, strict=True))
    return _Track(at, octaves, periodicity, hiss)


def _measured(windows: Floats) -> tuple[Floats, Floats, Floats]:
    """Pitch, how sure it is, and hiss of each window."""
    correlation, power = _autocorrelation(windows * _HANN)
    likeness = correlation[:, _SHORTEST_LAG:] / np.maximum(correlation[:, :1], 1e-12) * _UNTAPERED
    best = np.argmax(likeness * _RATHER_HIGH, axis=1)
    high, low = power[:, _HIGH_BAND].sum(axis=1), power[:, _LOW_BAND].sum(axis=1)
    hiss = 10 * np.log10((high + 1e-9) / (low + 1e-9))
    return _OCTAVES[best], likeness[np.arange(len(best)), best], hiss


def _of_level(levels: Floats, last: int) -> list[float]:
    """How loud the voice is at its end, and how it got there."""
    numbers: list[float] = []
    for nearest, furthest in _LEVEL_STEPS:
        piece = levels[max(0, last + 1 - furthest) : max(1, last + 1 - nearest)]
        numbers.append(max(_QUIETEST_DB, float(piece.mean())))
    numbers += [_slope(levels[max(0, last + 1 - steps) : last + 1]) for steps in _SLOPE_STEPS]
    for fallen_db in (10.0, 15.0):
        numbers.append(float(last - np.flatnonzero(levels[: last + 1] > -fallen_db)[-1]))
    return numbers


def _of_voice(track: _Track, levels: Floats, last: int) -> list[float]:
    """Length, level, pitch and clearness of the last voiced piece, against all voice of the window."""
    is_voiced = track.periodicity > _PERIODIC
    at, octaves, clear = track.at[is_voiced], track.octaves[is_voiced], track.periodicity[is_voiced]
    if len(at) < 3:
        return [0.0] * 14
    gaps = np.flatnonzero(np.diff(at) > 4)
    begins = int(gaps[-1]) + 1 if len(gaps) else 0
    piece, loudness = octaves[begins:], levels[at]
    ranked = np.sort(octaves)
    middle, low, high = _quantile(ranked, 0.5), _quantile(ranked, 0.1), _quantile(ranked, 0.9)
    end = _median(piece[-3:])
    drop = end - _median(piece[-12:-5]) if len(piece) > 7 else 0.0
    return [
        float(len(piece)),
        float(last - at[-1]),
        len(at) / len(levels),
        float(loudness[begins:].mean() - loudness.mean()),
        float(loudness[-3:].mean() - loudness.mean()),
        float(loudness[begins:].max()),
        end - middle,
        _median(piece) - middle,
        end - low,
        (end - low) / max(0.1, high - low),
        min(1.0, max(-1.0, _slope(piece[-10:]))),
        min(1.0, max(-1.0, drop)),
        float(clear[begins:][-4:].mean()),
        float(clear[begins:][-4:].mean() - clear.mean()),
    ]


def _of_hiss(track: _Track, last: int) -> list[float]:
    """How much of the sound lies above 2 kHz, dB against that below 1 kHz: consonants, breath."""
    end, before = track.hiss[track.at > last - 6], track.hiss[(track.at > last - 16) & (track.at <= last - 6)]
    overall = float(track.hiss.mean())
    at_end = float(end.mean()) if len(end) else overall
    return [at_end, float(before.mean()) if len(before) else overall, at_end - overall]


def _quantile(ranked: Floats, share: float) -> float:
    """As numpy's, between neighbours, of values in order; a tenth of its cost, most of which is made for others."""
    at = share * (len(ranked) - 1)
    below = int(at)
    lower, upper = float(ranked[below]), float(ranked[min(below + 1, len(ranked) - 1)])
    return lower + (at - below) * (upper - lower)


def _median(values: Floats) -> float:
    return _quantile(np.sort(values), 0.5)


def _slope(values: Floats) -> float:
    """Per 10 values."""
    if len(values) < 3:
        return 0.0
    at = np.arange(len(values)) - (len(values) - 1) / 2
    return float(at @ values / (at @ at)) * 10
