"""The Silero voice activity model, run for many calls at once and only for the moments that are asked about.

Source: silero-vad 6.2.3, 16 kHz model (MIT; see models/). It reads windows of 512 samples, each preceded by the last 64
of the window before, and carries a state from window to window.
"""

import importlib
import importlib.util
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from voxbus_audio import FRAME_BYTES, FRAME_SAMPLES, SAMPLE_RATE_HZ
from voxbus_vad.errors import SileroFailed, SileroMissing

WINDOW_SAMPLES: Final = 512
CONTEXT_SAMPLES: Final = 64
WARM_UP_WINDOWS: Final = 12
"""Windows run when the carried state is too old to go on from, and the most that are ever run for one ask."""
REMEMBERED_FRAMES: Final = -(-(WARM_UP_WINDOWS * WINDOW_SAMPLES + CONTEXT_SAMPLES) // FRAME_SAMPLES)

_MODEL_FILE: Final = "silero_vad_16k_op15.onnx"
_STATE_SIZE: Final = 128
_FULL_SCALE: Final = 32_768.0

Float32 = NDArray[np.float32]


def _fresh_state() -> Float32:
    return np.zeros((2, _STATE_SIZE), np.float32)


@dataclass(slots=True)
class Trail:
    """How far the model has followed one call. Only the thread that runs the model touches it."""

    state: Float32 = field(default_factory=_fresh_state)
    """Shape [2, 128]."""
    at_samples: int | None = None
    """Position the state stands at, on the count of `Ask.end_samples`; None = nowhere yet."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Is the sound at the end of `audio` voice?"""

    trail: Trail
    audio: bytes
    """s16le 16 kHz, REMEMBERED_FRAMES frames, the asked moment last."""
    end_samples: int
    """Position of the end of `audio`; grows from ask to ask of a call."""


class CallerMemory:
    """The last 400 ms of one caller, so that an ask can be made at any frame."""

    __slots__ = ("_end_samples", "_frames", "_next_pts_ms", "_trail")

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=REMEMBERED_FRAMES)
        self._end_samples = 0
        self._next_pts_ms: int | None = None
        self._trail = Trail()

    def remember(self, pts_ms: int, pcm: bytes) -> None:
        """The next frame, 640 bytes; after a jump of pts what came before is forgotten."""
        if self._next_pts_ms is not None and pts_ms != self._next_pts_ms:
            self._frames.clear()
            self._trail = Trail()
        self._frames.append(pcm)
        self._end_samples += FRAME_SAMPLES
        self._next_pts_ms = pts_ms + 20

    def ask(self) -> Ask:
        """An ask about the frame remembered last; where the memory is short, silence precedes it."""
        audio = b"".join(self._frames).rjust(REMEMBERED_FRAMES * FRAME_BYTES, b"\0")
        return Ask(self._trail, audio, self._end_samples)


class InferenceSession(Protocol):
    """The part of onnxruntime's session that is used."""

    def run(self, output_names: None, input_feed: dict[str, Any]) -> Sequence[Float32]: ...


class SileroModel:
    """Answers asks; not to be used by two threads at a time."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._sample_rate = np.array(SAMPLE_RATE_HZ, np.int64)

    def scores(self, asks: Sequence[Ask]) -> list[float]:
        """Probability of voice, 0..1, for each ask; the asks must be of different calls.

        Per ask, the windows since the trail's position are run one after the other, those of all asks side by side,
        then one window that ends at the asked moment; the trail is left before that last one, on its grid of windows.
        Raises SileroFailed; the trails are then as they were.
        """
        plans = [_windows(ask) for ask in asks]
        longest = max(len(windows) for windows, _, _ in plans)
        state = np.stack([start for _, start, _ in plans], axis=1)
        for step in range(longest - 1):
            running = [n for n, (windows, _, _) in enumerate(plans) if len(windows) >= longest - step]
            inputs = np.stack([plans[n][0][step - longest] for n in running])
            _, state[:, running] = self._run(inputs, state[:, running])
        scores, _ = self._run(np.stack([windows[-1] for windows, _, _ in plans]), state)
        for n, ask in enumerate(asks):
            ask.trail.state = state[:, n].copy()
            ask.trail.at_samples = plans[n][2]
        return [float(score) for score in scores[:, 0]]

    def _run(self, inputs: Float32, state: Float32) -> tuple[Float32, Float32]:
        try:
            scores, after = self._session.run(None, {"input": inputs, "state": state, "sr": self._sample_rate})
        except Exception as error:
            raise SileroFailed(f"inference over {len(inputs)} calls failed: {type(error).__name__}") from error
        return scores, after


def _windows(ask: Ask) -> tuple[list[Float32], Float32, int]:
    """The windows to run for an ask, the state to start from, and where the trail stands before the last window."""
    samples = np.frombuffer(ask.audio, np.int16).astype(np.float32) / np.float32(_FULL_SCALE)
    last = ask.end_samples - WINDOW_SAMPLES
    furthest = last - (WARM_UP_WINDOWS - 1) * WINDOW_SAMPLES
    at = ask.trail.at_samples
    start, state = (furthest, _fresh_state()) if at is None or at < furthest else (at, ask.trail.state)
    whole = (last - start) // WINDOW_SAMPLES
    starts = [*range(start, start + whole * WINDOW_SAMPLES, WINDOW_SAMPLES), last]
    offset = len(samples) - ask.end_samples
    windows = [samples[offset + s - CONTEXT_SAMPLES : offset + s + WINDOW_SAMPLES] for s in starts]
    return windows, state, start + whole * WINDOW_SAMPLES


def check_silero_installed() -> None:
    """Raises SileroMissing when onnxruntime is not installed."""
    if not has_onnxruntime():
        raise SileroMissing(
            "vad_engine=silero needs onnxruntime, which is not installed: "
            "pip install -r requirements/silero.lock, or set VOXBUS_VAD_ENGINE=webrtc"
        )


def has_onnxruntime() -> bool:
    return importlib.util.find_spec("onnxruntime") is not None


def load_silero() -> SileroModel:
    """Loads the model that ships with the package, one thread per inference; takes about 50 ms.

    Raises SileroMissing.
    """
    check_silero_installed()
    onnxruntime = importlib.import_module("onnxruntime")
    model = files("voxbus_vad").joinpath("models", _MODEL_FILE)
    if not model.is_file():
        raise SileroMissing(f"vad_engine=silero: models/{_MODEL_FILE} is missing from the installed package voxbus-vad")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
    return SileroModel(session)
