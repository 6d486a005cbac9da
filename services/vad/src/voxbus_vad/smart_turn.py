"""The Smart Turn model: has the caller finished, judged by the sound of the last 8 s alone. Optional; any v3 serves.

Source: pipecat-ai/smart-turn v3.x (BSD-2-Clause), an ONNX file of 8 MB. Input `input_features` float32 [1, 80, 800]:
the log-mel spectrogram Whisper's extractor makes of 8 s at 16 kHz, silence in front where there is less, the waveform
brought to mean 0 and variance 1 before. Output `logits` [1, 1], which despite its name is a probability.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from voxbus_audio import SAMPLE_RATE_HZ
from voxbus_vad.errors import TurnModelFailed, TurnModelUnusable
from voxbus_vad.silero import has_onnxruntime

WINDOW_MS: Final = 8_000
WINDOW_SAMPLES: Final = WINDOW_MS * SAMPLE_RATE_HZ // 1_000
MELS: Final = 80
HOP_SAMPLES: Final = 160
STEPS: Final = WINDOW_SAMPLES // HOP_SAMPLES
_INPUT: Final = "input_features"
_FFT_SAMPLES: Final = 400
_LINEAR_HZ: Final = 1_000.0
_LINEAR_MELS: Final = 15.0
_HZ_PER_MEL: Final = _LINEAR_HZ / _LINEAR_MELS
_MELS_PER_E: Final = 27.0 / np.log(6.4)
_FULL_SCALE: Final = 32_768.0

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class InferenceSession(Protocol):
    """The part of onnxruntime's session that is used."""

    def run(self, output_names: None, input_feed: dict[str, Any]) -> Sequence[Float32]: ...
    def get_inputs(self) -> Sequence[Any]: ...


class TurnModel:
    """Answers whether the caller has finished; not to be used by two threads at a time."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session

    def probability(self, audio: bytes) -> float:
        """That the turn is over, 0..1, for 8 s of s16le at 16 kHz. Raises TurnModelFailed."""
        features = log_mel(np.frombuffer(audio, np.int16).astype(np.float64) / _FULL_SCALE)
        try:
            (answer, *_) = self._session.run(None, {_INPUT: features[np.newaxis]})
            probability = float(np.asarray(answer).reshape(-1)[0])
        except Exception as error:
            raise TurnModelFailed(f"inference failed: {type(error).__name__}") from error
        if not 0.0 <= probability <= 1.0:
            raise TurnModelFailed(f"the model answered {probability}, which is no probability")
        return probability


def log_mel(samples: Float64) -> Float32:
    """Whisper's log-mel spectrogram of WINDOW_SAMPLES samples in -1..1: [80, 800], float32."""
    levelled = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    half = _FFT_SAMPLES // 2
    padded = np.pad(levelled, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT_SAMPLES)[::HOP_SAMPLES][:STEPS]
    power = np.abs(np.fft.rfft(windows * _HANN)) ** 2
    decades = np.log10(np.maximum(power @ _FILTERS, 1e-10)).T
    return ((np.maximum(decades, decades.max() - 8.0) + 4.0) / 4.0).astype(np.float32)


def _filters() -> Float64:
    """Triangles of equal area on the mel scale of Slaney's toolbox, [201, 80]: linear up to 1 kHz, then logarithmic."""
    top = _LINEAR_MELS + _MELS_PER_E * np.log(SAMPLE_RATE_HZ / 2 / _LINEAR_HZ)
    mels = np.linspace(0.0, top, MELS + 2)
    edges = np.where(mels < _LINEAR_MELS, mels * _HZ_PER_MEL, _LINEAR_HZ * np.exp((mels - _LINEAR_MELS) / _MELS_PER_E))
    bins = np.linspace(0.0, SAMPLE_RATE_HZ / 2, _FFT_SAMPLES // 2 + 1)[:, np.newaxis]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))


_HANN: Final = np.hanning(_FFT_SAMPLES + 1)[:-1]
_FILTERS: Final = _filters()


def load_turn_model(path: Path) -> TurnModel:
    """Loads the file and asks it once, so that one that cannot answer is found out here; about 100 ms.

    Raises TurnModelUnusable, its text naming the setting.
    """
    if not has_onnxruntime():
        raise TurnModelUnusable("vad_turn_model needs onnxruntime: pip install -r requirements/silero.lock")
    if not path.is_file():
        raise TurnModelUnusable(f"vad_turn_model: there is no file {path}")
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise TurnModelUnusable(f"vad_turn_model: {path} is not an ONNX model ({type(error).__name__})") from error
    inputs = [known.name for known in session.get_inputs()]
    if inputs != [_INPUT]:
        raise TurnModelUnusable(f"vad_turn_model: {path} takes {', '.join(inputs) or 'nothing'}, not {_INPUT}")
    model = TurnModel(session)
    try:
        model.probability(b"\0" * (WINDOW_SAMPLES * 2))
    except TurnModelFailed as error:
        raise TurnModelUnusable(f"vad_turn_model: {path} is not a Smart Turn v3 model: {error}") from error
    return model
