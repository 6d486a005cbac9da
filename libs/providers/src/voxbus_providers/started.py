"""The engines of one process: one instance of each, started when first asked for and shared from then on."""

import asyncio
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from voxbus_providers.registry import load


class Engine(Protocol):
    """What recognizers and voices have in common."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


E = TypeVar("E", bound=Engine)


class StartedEngines(Generic[E]):
    """Looks engines up in a registry; `arguments` = each engine's own settings."""

    def __init__(
        self, registry: Mapping[str, str], extras: Mapping[str, str], arguments: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._registry = registry
        self._extras = extras
        self._arguments = arguments
        self._started: dict[str, asyncio.Future[E]] = {}

    async def get(self, name: str) -> E:
        """The engine, started. Raises ProviderError; whoever asks next tries again."""
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
            if not isinstance(engine, BaseException):
                await engine.close()

    async def _start(self, name: str) -> E:
        engine: E = load(self._registry, name, self._extras)(**self._arguments.get(name, {}))
        await engine.start()
        return engine
