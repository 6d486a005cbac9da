"""Vosk: streaming recognition of a Kaldi model in a folder, English or another language.

Source: vosk 0.3.45 (Apache-2.0), its Python module as installed, November 2026. No model comes with it: run
against a module of the same form and against the real one's errors, not on speech.
A model's own dynamic grammar would leave out every other word, so that an assistant's terms are not given to it.
"""

import importlib
import json
from pathlib import Path
from typing import Any, ClassVar, Final

from voxbus_providers.errors import ProviderRejected
from voxbus_stt_worker.providers.folder_recognizer import FolderEngine, FolderRecognizer, FolderStream

_RATE_HZ: Final = 16_000
_ERRORS_ONLY: Final = -1


class VoskStream(FolderStream):
    """Vosk ends sentences by itself now and then: what it ended is kept until `finish`."""

    def __init__(self, recognizer: Any) -> None:
        self._recognizer = recognizer
        self._ended: list[str] = []

    def feed(self, pcm: bytes) -> str:
        if self._recognizer.AcceptWaveform(pcm):
            self._ended.append(_field(self._recognizer.Result(), "text"))
            return _joined(self._ended)
        return _joined([*self._ended, _field(self._recognizer.PartialResult(), "partial")])

    def finish(self) -> str:
        text = _joined([*self._ended, _field(self._recognizer.FinalResult(), "text")])
        self._ended.clear()
        return text


class VoskEngine(FolderEngine):
    """In the child."""

    def __init__(self, folder: Path) -> None:
        self._vosk: Any = importlib.import_module("vosk")
        self._vosk.SetLogLevel(_ERRORS_ONLY)
        try:
            self._model = self._vosk.Model(str(folder))
        except Exception as problem:  # noqa: BLE001 - the library raises nothing more precise
            raise ProviderRejected("vosk", f"{folder} is no model vosk can load: {problem}") from None

    def stream(self) -> FolderStream:
        return VoskStream(self._vosk.KaldiRecognizer(self._model, _RATE_HZ))


class VoskRecognizer(FolderRecognizer):
    """Chosen by `transcriber: {provider: "vapi", model: "vosk"}`, or for all calls by VOXBUS_STT_DEFAULT."""

    name: ClassVar[str] = "vosk"
    package: ClassVar[str] = "vosk"
    engine: ClassVar[str] = f"{__name__}:VoskEngine"
    example: ClassVar[str] = "vosk-model-small-en-us-0.15"


def _field(answer: str, name: str) -> str:
    return str(json.loads(answer).get(name, ""))


def _joined(texts: list[str]) -> str:
    return " ".join(text for text in texts if text)
