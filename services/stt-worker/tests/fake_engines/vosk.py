"""In the form of vosk 0.3.45's module: hears a word for every half second of sound, ends a sentence after three."""

import array
import json
from pathlib import Path

_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORD_BYTES = 16_000


def SetLogLevel(level: int) -> None:  # noqa: N802
    assert level == -1


class Model:
    def __init__(self, model_path: str) -> None:
        if not (Path(model_path) / "am").is_dir():
            raise Exception("Failed to create a model")  # noqa: TRY002


class KaldiRecognizer:
    def __init__(self, model: Model, rate_hz: float) -> None:
        assert rate_hz == 16_000
        self._loud_bytes = 0
        self._told = 0

    def AcceptWaveform(self, data: bytes) -> int:  # noqa: N802
        assert data, "an empty piece is an error of the library"
        if max(map(abs, array.array("h", data))) > 500:
            self._loud_bytes += len(data)
        return int(self._heard() - self._told >= 3)

    def PartialResult(self) -> str:  # noqa: N802
        return json.dumps({"partial": self._text()})

    def Result(self) -> str:  # noqa: N802
        text, self._told = self._text(), self._heard()
        return json.dumps({"text": text})

    def FinalResult(self) -> str:  # noqa: N802
        text, self._told, self._loud_bytes = self._text(), 0, 0
        return json.dumps({"text": text})

    def _heard(self) -> int:
        return min(len(_WORDS), (self._loud_bytes + _WORD_BYTES - 1) // _WORD_BYTES)

    def _text(self) -> str:
        return " ".join(_WORDS[self._told : self._heard()])
