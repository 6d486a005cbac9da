"""The optional turn model: what it is fed, how a wrong file is refused, and that nobody waits for it."""

import asyncio
import importlib.util
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tiny_onnx import turn_model

from voxbus_audio import SILENCE_FRAME
from voxbus_contracts.events import SpeechJudged, SpeechStarted, SpeechStopped
from voxbus_vad.errors import TurnModelFailed, TurnModelUnusable
from voxbus_vad.handlers import Judgements
from voxbus_vad.smart_turn import MELS, STEPS, WINDOW_SAMPLES, load_turn_model, log_mel
from voxbus_vad.turn_judge import TurnJudge

needs_onnxruntime = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime (requirements/silero.lock) is not installed"
)
STOPPED = SpeechStopped(speech_seq=3, pts_ms=1_000, detected_pts_ms=1_200, voiced_ms=800)


def tone(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(WINDOW_SAMPLES) / 16_000)


def mel_of(hz: float) -> float:
    return hz * 3 / 200 if hz < 1_000 else 15 + 27 * np.log(hz / 1_000) / np.log(6.4)


@pytest.mark.parametrize("hz", [200.0, 500.0, 1_000.0, 2_000.0, 5_000.0])
def test_a_tone_is_loudest_in_its_mel_band(hz: float) -> None:
    features = log_mel(tone(hz))
    assert features.shape == (MELS, STEPS)
    assert features.dtype == np.float32
    band = int(features[:, STEPS // 2].argmax())
    assert abs((band + 1) * mel_of(8_000) / (MELS + 1) - mel_of(hz)) < 0.8


def test_the_spectrogram_spans_eight_decades_of_power_and_does_not_know_loudness() -> None:
    features = log_mel(tone(440))
    assert features.max() - features.min() == pytest.approx(2.0)
    assert np.allclose(features, log_mel(0.01 * tone(440)), atol=1e-3)


def test_silence_has_a_spectrogram_too() -> None:
    assert np.isfinite(log_mel(np.zeros(WINDOW_SAMPLES))).all()


@needs_onnxruntime
def test_a_model_with_the_right_names_answers(tmp_path: Path) -> None:
    file = tmp_path / "turn.onnx"
    file.write_bytes(turn_model())
    audio = (tone(300) * 9_000).astype("<i2").tobytes()
    expected = 1 / (1 + np.exp(-float(log_mel(np.frombuffer(audio, np.int16) / 32_768).mean())))
    assert load_turn_model(file).probability(audio) == pytest.approx(expected, abs=1e-4)


def test_a_path_without_a_file_is_refused_naming_the_setting(tmp_path: Path) -> None:
    with pytest.raises(TurnModelUnusable, match=r"vad_turn_model: there is no file .*missing\.onnx"):
        load_turn_model(tmp_path / "missing.onnx")


@needs_onnxruntime
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not a model", "is not an ONNX model"),
        (turn_model("audio"), "takes audio, not input_features"),
        (turn_model(shape=(1, 40, 800)), "is not a Smart Turn v3 model"),
    ],
    ids=["no model", "other input", "other shape"],
)
def test_a_file_that_is_no_turn_model_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "turn.onnx"
    file.write_bytes(content)
    with pytest.raises(TurnModelUnusable, match=f"vad_turn_model: .*{why}"):
        load_turn_model(file)


class FakeModel:
    """Answers when it is let."""

    def __init__(self, answer: float | None = 0.7) -> None:
        self.answer = answer
        self.may_answer = threading.Event()
        self.asked: list[bytes] = []

    def probability(self, audio: bytes) -> float:
        self.asked.append(audio)
        assert self.may_answer.wait(5)
        if self.answer is None:
            raise TurnModelFailed("broken")
        return self.answer


async def test_a_stop_is_said_at_once_and_its_judgement_follows() -> None:
    model = FakeModel()
    events: asyncio.Queue = asyncio.Queue()
    judgements = Judgements(TurnJudge(model, 4), events)
    judgements.memory.remember(0, SILENCE_FRAME)
    judgements.say(SpeechStarted(speech_seq=3, pts_ms=100, detected_pts_ms=180))
    judgements.say(STOPPED)
    assert isinstance(events.get_nowait(), SpeechStarted)
    assert events.get_nowait() == STOPPED
    model.may_answer.set()
    async with asyncio.timeout(5):
        assert await events.get() == SpeechJudged(speech_seq=3, pts_ms=1_000, finished=0.7)
    assert [len(audio) for audio in model.asked] == [WINDOW_SAMPLES * 2]


async def test_a_failed_judgement_is_none() -> None:
    model = FakeModel(answer=None)
    model.may_answer.set()
    assert await TurnJudge(model, 4).finished(b"") is None


async def test_stops_beyond_those_that_may_wait_are_not_judged() -> None:
    model = FakeModel()
    judge = TurnJudge(model, 1)
    first, second = (asyncio.ensure_future(judge.finished(b"")) for _ in range(2))
    await asyncio.sleep(0)
    assert await judge.finished(b"") is None
    model.may_answer.set()
    assert [await first, await second] == [0.7, 0.7]


async def test_without_a_model_events_are_passed_on_and_nothing_follows() -> None:
    events: asyncio.Queue = asyncio.Queue()
    Judgements(None, events).say(STOPPED)
    assert events.get_nowait() == STOPPED
    await asyncio.sleep(0)
    assert events.empty()


async def test_a_call_that_leaves_waits_for_no_judgement() -> None:
    model = FakeModel()
    events: asyncio.Queue = asyncio.Queue()
    judgements = Judgements(TurnJudge(model, 4), events)
    judgements.say(STOPPED)
    await asyncio.sleep(0)
    judgements.stop()
    model.may_answer.set()
    await asyncio.sleep(0.05)
    assert events.get_nowait() == STOPPED
    assert events.empty()
