"""Which recognizer a call gets: one instance of each in the process, started when first asked for."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from voxbus_contracts.assistant import Transcriber
from voxbus_providers.recognizer import Recognizer
from voxbus_providers.registry import load

RECOGNIZERS: Final = {
    "pocketsphinx": "voxbus_stt_worker.providers.pocketsphinx:PocketsphinxRecognizer",
    "position": "voxbus_testing.position:PositionRecognizer",
}
EXTRAS: Final = {"position": "voxbus-stt-worker[position]"}
PLATFORM: Final = "vapi"
"""The provider name that means the platform's own engines; `model` chooses among them."""


def chosen(transcriber: Transcriber) -> str:
    """Name of the recognizer an assistant asks for; nobody may have registered it."""
    return transcriber.model if transcriber.provider == PLATFORM else transcriber.provider


class Engines:
    """The recognizers of this process."""

    def __init__(self, default: str, arguments: Mapping[str, Mapping[str, Any]]) -> None:
        """`default` serves calls whose own recognizer is missing; `arguments` = each engine's own settings."""
        self.default = default
        self._arguments = arguments
        self._started: dict[str, asyncio.Future[Recognizer]] = {}

    async def get(self, name: str) -> Recognizer:
        """The engine, started. Raises ProviderError; the next call tries again."""
        starting = self._started.get(name)
        if starting is None:
            starting = self._started[name] = asyncio.ensure_future(self._start(name))
        try:
            return await asyncio.shield(starting)
        except BaseException:
            if starting.done() and (starting.cancelled() or starting.exception() is not None):
                self._started.pop(name, None)
            raise

    async def close(self) -> None:
        started, self._started = self._started, {}
        for starting in started.values():
            starting.cancel()
        for engine in await asyncio.gather(*started.values(), return_exceptions=True):
            if isinstance(engine, Recognizer):
                await engine.close()

    async def _start(self, name: str) -> Recognizer:
        engine: Recognizer = load(RECOGNIZERS, name, EXTRAS)(**self._arguments.get(name, {}))
        await engine.start()
        return engine
