"""sherpa-onnx: streaming recognition of a transducer model (zipformer and others) in a folder.

Source: sherpa-onnx 2.0.1 (Apache-2.0), its Python module as installed, November 2026. No model comes with it: run
against a module of the same form and against the real one's errors, not on speech. Hot words need a model's own word
pieces and beam search, so an assistant's terms are not given to it.
"""

import importlib
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from voxbus_providers.errors import ProviderRejected
from voxbus_stt_worker.providers.folder_recognizer import FolderEngine, FolderRecognizer, FolderStream

_RATE_HZ: Final = 16_000
_FULL_SCALE: Final = 32_768.0
_TAIL: Final = np.zeros(_RATE_HZ // 2, np.float32)
"""Silence that pushes the last words through the model's look-ahead, 0.5 s."""
_QUANTIZED: Final = ".int8.onnx"


class SherpaStream(FolderStream):
    """One stretch of speech is one stream of the library."""

    def __init__(self, recognizer: Any) -> None:
        self._recognizer = recognizer
        self._stream: Any = recognizer.create_stream()

    def feed(self, pcm: bytes) -> str:
        self._stream.accept_waveform(_RATE_HZ, np.frombuffer(pcm, np.int16).astype(np.float32) / _FULL_SCALE)
        return self._text()

    def finish(self) -> str:
        self._stream.accept_waveform(_RATE_HZ, _TAIL)
        self._stream.input_finished()
        text = self._text()
        self._stream = self._recognizer.create_stream()
        return text

    def _text(self) -> str:
        while self._recognizer.is_ready(self._stream):
            self._recognizer.decode_stream(self._stream)
        return str(self._recognizer.get_result(self._stream)).strip().lower()


class SherpaEngine(FolderEngine):
    """In the child."""

    def __init__(self, folder: Path) -> None:
        files = {part: _file(folder, part) for part in ("encoder", "decoder", "joiner")}
        tokens = folder / "tokens.txt"
        missing = [part for part, file in {**files, "tokens.txt": tokens}.items() if file is None or not file.is_file()]
        if missing:
            raise ProviderRejected("sherpa", f"{folder} is no transducer model: it has no {', '.join(missing)}")
        library: Any = importlib.import_module("sherpa_onnx")
        try:
            self._recognizer = library.OnlineRecognizer.from_transducer(
                tokens=str(tokens), num_threads=1, **{part: str(file) for part, file in files.items()}
            )
        except (RuntimeError, ValueError) as problem:
            raise ProviderRejected("sherpa", f"{folder} is no model sherpa-onnx can load: {problem}") from None

    def stream(self) -> FolderStream:
        return SherpaStream(self._recognizer)


class SherpaRecognizer(FolderRecognizer):
    """Chosen by `transcriber: {provider: "vapi", model: "sherpa"}`, or for all calls by VOXBUS_STT_DEFAULT."""

    name: ClassVar[str] = "sherpa"
    package: ClassVar[str] = "sherpa_onnx"
    engine: ClassVar[str] = f"{__name__}:SherpaEngine"
    example: ClassVar[str] = "sherpa-onnx-streaming-zipformer-en-20M-2023-02-17"


def _file(folder: Path, part: str) -> Path | None:
    """The part's file, of two the quantized one."""
    found = sorted(folder.glob(f"{part}*.onnx"), key=lambda file: (not file.name.endswith(_QUANTIZED), file.name))
    return found[0] if found else None
