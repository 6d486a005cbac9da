"""Recognizers by name. The registry is literal; a class is imported when a call first asks for it."""

from typing import Final

from voxbus_contracts.assistant import Transcriber

RECOGNIZERS: Final = {
    "pocketsphinx": "voxbus_stt_worker.providers.pocketsphinx:PocketsphinxRecognizer",
    "position": "voxbus_testing.position:PositionRecognizer",
}
EXTRAS: Final = {"position": "voxbus-stt-worker[position]"}
PLATFORM: Final = "vapi"
"""The provider name that means the platform's own engines; `model` chooses among them."""


def chosen(transcriber: Transcriber) -> str:
    """Name of the recognizer an assistant asks for; it may not exist here."""
    return transcriber.model if transcriber.provider == PLATFORM else transcriber.provider
