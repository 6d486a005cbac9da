"""Language models of assistants' own domains: one folder each, made once by the builder and shared by all calls.

A call never fails for want of one: what cannot be made in time is done without, with the general model.
"""

import asyncio
import contextlib
import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Final

from voxbus_providers.child import ChildProcess
from voxbus_providers.errors import ProviderError
from voxbus_providers.terms import RecognitionTerms
from voxbus_stt_worker import metrics
from voxbus_stt_worker.language.build import model_key
from voxbus_stt_worker.providers.pocketsphinx_wire import ARPA, GENERAL, BuildKind

_BUILDER: Final = "voxbus_stt_worker.providers.pocketsphinx_builder_child"
_PATIENCE_S: Final = 5.0
"""A model takes 0.3 s on an idle core; a caller's first words are kept meanwhile."""


class DomainModels:
    """`cache`: where the folders lie; made when it is missing."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache.absolute()
        self.builder = ChildProcess("pocketsphinx", _BUILDER)
        self._starting: asyncio.Task[None] | None = None
        self._building: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Starts the builder; nobody waits for it."""
        self._starting = asyncio.create_task(self._start(), name="pocketsphinx-builder")

    async def folder(self, terms: RecognitionTerms) -> str:
        """The model of these terms; GENERAL when they say nothing of the domain, or when it cannot be made."""
        if not terms.has_domain:
            return GENERAL
        folder = self._cache / model_key(terms)
        if _is_there(folder):
            return str(folder)
        try:
            await asyncio.wait_for(asyncio.shield(self._made(folder, terms)), _PATIENCE_S)
        except (ProviderError, TimeoutError) as problem:
            metrics.MODELS_MISSED.inc()
            logging.getLogger("voxbus.models").warning("no language model of the assistant's: %s", problem)
            return GENERAL
        return str(folder)

    async def close(self) -> None:
        tasks = [*self._building.values(), *([self._starting] if self._starting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.builder.close()

    def _made(self, folder: Path, terms: RecognitionTerms) -> asyncio.Task[None]:
        """Calls that want the same at the same time share it."""
        building = self._building.get(folder.name)
        if building is None:
            building = self._building[folder.name] = asyncio.create_task(self._build(folder, terms))
            building.add_done_callback(lambda done: self._forget(folder.name, done))
        return building

    def _forget(self, key: str, done: asyncio.Task[None]) -> None:
        self._building.pop(key, None)
        if not done.cancelled():
            done.exception()

    async def _build(self, folder: Path, terms: RecognitionTerms) -> None:
        if self._starting is not None:
            await asyncio.shield(self._starting)
        began_s = asyncio.get_running_loop().time()
        exchange = await self.builder.open()
        try:
            exchange.send(BuildKind.BUILD, json.dumps({"folder": str(folder), "terms": asdict(terms)}).encode())
            async for _built in exchange.replies():
                break
        finally:
            exchange.close()
        metrics.MODEL_BUILD.observe(asyncio.get_running_loop().time() - began_s)

    async def _start(self) -> None:
        """A builder that cannot start is told by those who want a model of it."""
        with contextlib.suppress(ProviderError):
            await self.builder.start()


def _is_there(folder: Path) -> bool:
    """Marks it as used now, too: the models used longest ago are removed first."""
    try:
        os.utime(folder)
    except OSError:
        return False
    return (folder / ARPA).is_file()
