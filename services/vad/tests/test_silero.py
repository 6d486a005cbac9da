"""The Silero model itself: the file that ships with the package, and batches of it."""

import importlib.util

import numpy as np
import pytest

from voxbus_audio import FRAME_SAMPLES, frames
from voxbus_vad.errors import SileroFailed, SileroMissing
from voxbus_vad.silero import (
    CONTEXT_SAMPLES,
    WARM_UP_WINDOWS,
    WINDOW_SAMPLES,
    CallerMemory,
    Float32,
    SileroModel,
    load_silero,
)

needs_onnxruntime = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime (requirements/silero.lock) is not installed"
)


def caller_sound(seed: int, count: int) -> list[bytes]:
    """Frames of a voice-like buzz in noise, different for each seed."""
    random = np.random.default_rng(seed)
    at = np.arange(count * FRAME_SAMPLES) / 16_000
    hz = 90 + 40 * seed
    buzz = sum(np.sin(2 * np.pi * hz * k * at) / k for k in range(1, 15))
    sound = 2_500 * buzz * (np.sin(2 * np.pi * 1.5 * at + seed) > 0) + random.normal(0, 120, len(at))
    return frames(sound.clip(-32_768, 32_767).astype("<i2").tobytes())


class RecordingSession:
    """Stands in for the model: remembers what it was fed; its state counts the windows."""

    def __init__(self) -> None:
        self.inputs: list[Float32] = []
        self.states: list[Float32] = []

    def run(self, output_names: None, input_feed: dict[str, Float32]) -> list[Float32]:
        self.inputs.append(input_feed["input"])
        self.states.append(input_feed["state"].copy())
        return [input_feed["input"][:, -1:], input_feed["state"] + 1]


def ramp(from_sample: int, count: int) -> list[bytes]:
    """Frames whose samples are their own positions."""
    return frames(np.arange(from_sample, from_sample + count * FRAME_SAMPLES).astype("<i2").tobytes())


def heard(sound: list[bytes], memory: CallerMemory | None = None, from_frame: int = 0) -> CallerMemory:
    memory = memory or CallerMemory()
    for n, pcm in enumerate(sound):
        memory.remember((from_frame + n) * 20, pcm)
    return memory


def test_each_window_is_preceded_by_the_last_64_samples_before_it() -> None:
    session = RecordingSession()
    SileroModel(session).scores([heard(ramp(0, 40)).ask()])
    end = 40 * FRAME_SAMPLES
    assert len(session.inputs) == WARM_UP_WINDOWS
    for n, window in enumerate(session.inputs):
        last = end - (WARM_UP_WINDOWS - 1 - n) * WINDOW_SAMPLES
        expected = np.arange(last - WINDOW_SAMPLES - CONTEXT_SAMPLES, last)
        assert np.array_equal(window[0] * 32_768, expected)


def test_a_following_ask_runs_only_the_windows_since_the_one_before() -> None:
    session, memory = RecordingSession(), heard(ramp(0, 40))
    model = SileroModel(session)
    model.scores([memory.ask()])
    heard(ramp(40 * FRAME_SAMPLES, 3), memory, 40)
    session.inputs.clear()
    session.states.clear()
    model.scores([memory.ask()])
    assert len(session.inputs) == 2  # 960 new samples: one whole window on the grid, and the one that ends at the ask
    assert session.states[0][0, 0, 0] == WARM_UP_WINDOWS - 1
    assert session.inputs[-1][0, -1] * 32_768 == 43 * FRAME_SAMPLES - 1


def test_an_ask_long_after_the_one_before_warms_up_again() -> None:
    session, memory = RecordingSession(), heard(ramp(0, 30))
    model = SileroModel(session)
    model.scores([memory.ask()])
    heard(ramp(30 * FRAME_SAMPLES, 30), memory, 30)
    session.states.clear()
    model.scores([memory.ask()])
    assert len(session.states) == WARM_UP_WINDOWS
    assert session.states[0].max() == 0


def test_a_failing_inference_raises_and_leaves_the_trail_as_it_was() -> None:
    class Failing(RecordingSession):
        def run(self, output_names: None, input_feed: dict[str, Float32]) -> list[Float32]:
            raise RuntimeError("out of memory")

    ask = heard(ramp(0, 30)).ask()
    with pytest.raises(SileroFailed, match="1 calls failed: RuntimeError"):
        SileroModel(Failing()).scores([ask])
    assert ask.trail.at_samples is None


def _nothing_is_installed(_name: str) -> None:
    return None


def test_without_onnxruntime_the_error_names_the_lock_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", _nothing_is_installed)
    with pytest.raises(SileroMissing, match=r"requirements/silero\.lock"):
        load_silero()


@needs_onnxruntime
def test_a_batch_of_calls_scores_each_as_if_it_were_alone() -> None:
    model = load_silero()
    sounds = [caller_sound(seed, 60) for seed in range(9)]
    together, alone = [CallerMemory() for _ in sounds], [CallerMemory() for _ in sounds]
    # Different calls ask at different moments, so that their numbers of windows differ within a batch.
    for moment in (13, 14, 17, 30, 31, 59):
        askers = [n for n in range(len(sounds)) if (moment + n) % 3]
        for n in range(len(sounds)):
            start = 0 if moment == 13 else _previous(moment)
            heard(sounds[n][start:moment], together[n], start)
            heard(sounds[n][start:moment], alone[n], start)
        batch = model.scores([together[n].ask() for n in askers])
        single = [model.scores([alone[n].ask()])[0] for n in askers]
        assert batch == pytest.approx(single, abs=1e-4)
        assert max(single) - min(single) > 0.01


def _previous(moment: int) -> int:
    moments = (0, 13, 14, 17, 30, 31, 59)
    return moments[moments.index(moment) - 1]


@needs_onnxruntime
def test_silence_is_not_voice() -> None:
    assert load_silero().scores([heard([bytes(640)] * 30).ask()])[0] < 0.1
