"""WebRTC's detector at several levels, and the gate before it."""

import numpy as np

from voxbus_audio import FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE_FRAME, frames
from voxbus_vad.cheap import CheapDetector, Verdict


def noise_frames(rms: float, count: int, seed: int = 1) -> list[bytes]:
    samples = np.random.default_rng(seed).normal(0, rms, count * FRAME_SAMPLES)
    return frames(samples.clip(-32_768, 32_767).astype("<i2").tobytes())


def vowel_frames(amplitude: float) -> list[bytes]:
    """One second of a buzzing 140 Hz sound that swells four times."""
    at = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 140 * k * at) / k for k in range(1, 20))
    sound = amplitude / 3 * buzz * (1 + 0.5 * np.sin(2 * np.pi * 4 * at))
    return frames(sound.clip(-32_768, 32_767).astype("<i2").tobytes())


def test_digital_silence_is_silent() -> None:
    ear = CheapDetector(-55.0, 2)
    assert {ear.judge(SILENCE_FRAME) for _ in range(20)} == {Verdict.SILENT}


def test_what_lies_below_the_gate_is_silent_whatever_it_sounds_like() -> None:
    assert any(verdict.is_voiced for verdict in map(CheapDetector(-55.0, 2).judge, vowel_frames(3_000)))
    assert not any(verdict.is_voiced for verdict in map(CheapDetector(0.0, 2).judge, vowel_frames(3_000)))


def test_a_loud_sound_after_silence_is_surely_voiced() -> None:
    ear = CheapDetector(-55.0, 2)
    verdicts = [ear.judge(frame) for frame in [SILENCE_FRAME] * 10 + noise_frames(6_000, 10)]
    assert verdicts[-1] == Verdict.VOICED


def test_unsure_frames_lean_by_the_level_that_was_set() -> None:
    faint = noise_frames(60, 30) + vowel_frames(300)
    lenient = [verdict for verdict in map(CheapDetector(-55.0, 1).judge, faint) if not verdict.is_sure]
    strict = [verdict for verdict in map(CheapDetector(-55.0, 3).judge, faint) if not verdict.is_sure]
    assert len(lenient) == len(strict) > 20
    assert set(lenient) == {Verdict.LEANS_VOICED}
    assert set(strict) == {Verdict.LEANS_SILENT}


def test_a_verdict_knows_whether_it_is_sure_and_what_it_leans_to() -> None:
    assert [(v.is_sure, v.is_voiced) for v in Verdict] == [(True, False), (True, True), (False, False), (False, True)]
