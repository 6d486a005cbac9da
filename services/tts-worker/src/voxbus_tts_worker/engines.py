"""The voices of this process: one instance of each engine, started when first asked for."""

import importlib.util
from collections.abc import Mapping
from typing import Any, Protocol

from voxbus_providers.errors import ProviderError, ProviderMissing
from voxbus_providers.started import StartedEngines
from voxbus_providers.voice import Voice
from voxbus_tts_worker.registry import EXTRAS, VOICES


class VoiceSource(Protocol):
    """Gives engines by name."""

    @property
    def defaults(self) -> tuple[str, ...]:
        """Engines that may stand in for any voice, best first."""
        ...

    async def get(self, name: str) -> Voice:
        """The engine, started. Raises ProviderError."""
        ...


def default_engines(wanted: str) -> tuple[str, ...]:
    """`wanted` first, then espeak-ng where it is installed (its GPL code is never imported here), then flite."""
    has_espeak = importlib.util.find_spec("espeakng_loader") is not None
    installed = ("espeak-ng", "flite") if has_espeak else ("flite",)
    return tuple(dict.fromkeys((wanted, *installed))) if wanted else installed


class Engines(StartedEngines[Voice]):
    """The voices of this process."""

    def __init__(self, default: str, arguments: Mapping[str, Mapping[str, Any]]) -> None:
        """`default` empty = the best there is; `arguments` = each engine's own settings."""
        super().__init__(VOICES, EXTRAS, arguments)
        self._defaults = default_engines(default)

    @property
    def defaults(self) -> tuple[str, ...]:
        return self._defaults

    async def start(self) -> str:
        """Starts the first default that works, and tells which. Raises ProviderMissing when there is none."""
        problems: list[str] = []
        for name in self._defaults:
            try:
                await self.get(name)
                return name
            except ProviderError as problem:
                problems.append(str(problem))
        raise ProviderMissing(
            "voice",
            "no voice can be started; install one: pip install --require-hashes -r requirements/voice-espeak.lock, "
            f"or apt install flite ({'; '.join(problems)})",
        )
