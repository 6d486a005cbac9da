"""Which recognizer a call gets: one instance of each in the process, started when first asked for."""

from collections.abc import Mapping
from typing import Any, Final

from voxbus_contracts.assistant import Transcriber
from voxbus_providers.recognizer import Recognizer
from voxbus_providers.started import StartedEngines

RECOGNIZERS: Final = {
    "pocketsphinx": "voxbus_stt_worker.providers.pocketsphinx:PocketsphinxRecognizer",
    "vosk": "voxbus_stt_worker.providers.vosk:VoskRecognizer",
    "sherpa": "voxbus_stt_worker.providers.sherpa:SherpaRecognizer",
    "custom-transcriber": "voxbus_stt_worker.providers.custom_transcriber:CustomTranscriber",
    "position": "voxbus_testing.position:PositionRecognizer",
}
STUBS: Final = {"stub": "voxbus_testing.stub_recognizer:StubRecognizer"}
"""For benchmarks: only where the operator wants them, for they understand nothing."""
EXTRAS: Final = {"position": "voxbus-stt-worker[position]", "stub": "voxbus-stt-worker[position]"}
PLATFORM: Final = "vapi"
"""The provider name that means the platform's own engines; `model` chooses among them."""


def chosen(transcriber: Transcriber) -> str:
    """Name of the recognizer an assistant asks for; nobody may have registered it."""
    return transcriber.model if transcriber.provider == PLATFORM else transcriber.provider


def hears_both(transcriber: Transcriber) -> bool:
    """Whether it is given the assistant's side of the call too."""
    return chosen(transcriber) == "custom-transcriber"


class Engines(StartedEngines[Recognizer]):
    """The recognizers of this process."""

    def __init__(self, default: str, arguments: Mapping[str, Mapping[str, Any]], has_stubs: bool = False) -> None:
        """`default` serves calls whose own recognizer is missing; `arguments` = each engine's own settings."""
        super().__init__({**RECOGNIZERS, **STUBS} if has_stubs else RECOGNIZERS, EXTRAS, arguments)
        self.default = default
