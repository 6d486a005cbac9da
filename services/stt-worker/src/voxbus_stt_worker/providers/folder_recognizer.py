"""Engines whose model is a folder on this machine: what vosk and sherpa-onnx have in common.

The child is `python -m voxbus_stt_worker.providers.folder_child MODULE:CLASS FOLDER`; the class is a FolderEngine.
"""

import asyncio
import importlib.util
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final

from voxbus_providers.child import ChildProcess
from voxbus_providers.errors import ProviderMissing
from voxbus_providers.recognizer import Recognizer, RecognizerCapabilities, RecognizerRequest, RecognizerSession
from voxbus_stt_worker.providers.piped_session import PipedSession

_CHILD: Final = "voxbus_stt_worker.providers.folder_child"


class FolderStream(ABC):
    """In the child: one call's recognition."""

    @abstractmethod
    def feed(self, pcm: bytes) -> str:
        """Takes sound (mono s16le 16 kHz); the text since the last `finish`."""

    @abstractmethod
    def finish(self) -> str:
        """The stretch of speech is over: its text; what is fed from now on is another."""


class FolderEngine(ABC):
    """In the child: an engine with its model loaded. Making one raises ProviderError."""

    @abstractmethod
    def stream(self) -> FolderStream: ...


class FolderRecognizer(Recognizer):
    """Child processes with the model loaded; a call goes to the one with the fewest calls."""

    capabilities: ClassVar[RecognizerCapabilities] = RecognizerCapabilities(partials=True)
    package: ClassVar[str]
    """What is imported in the child."""
    engine: ClassVar[str]
    """`module:Class` of the FolderEngine."""
    example: ClassVar[str]
    """A model `voxbus models pull` knows."""

    def __init__(self, model: Path | None = None, processes: int = 1) -> None:
        """`model`: the folder; None = none was set."""
        self._model = model
        arguments = [self.engine, str((model or Path()).absolute())]
        self.children: Final = [ChildProcess(self.name, _CHILD, arguments) for _ in range(max(1, processes))]

    async def start(self) -> None:
        """Loads the model in every process. Raises ProviderError."""
        self._check()
        try:
            await asyncio.gather(*(child.start() for child in self.children))
        except BaseException:
            await self.close()
            raise

    async def open(self, request: RecognizerRequest) -> RecognizerSession:
        """Waits a little while no process is running, then raises ProviderUnavailable."""
        running = [child for child in self.children if child.is_up] or self.children
        return PipedSession(await min(running, key=lambda child: child.load).open())

    async def close(self) -> None:
        await asyncio.gather(*(child.close() for child in self.children))

    def _check(self) -> None:
        """Raises ProviderMissing with what to do about it."""
        if importlib.util.find_spec(self.package) is None:
            detail = f"{self.package} is not installed; install the extra 'voxbus-stt-worker[{self.name}]'"
            raise ProviderMissing(self.name, detail)
        variable = f"VOXBUS_STT_{self.name.upper()}_MODEL"
        how = f"`voxbus models pull {self.example}` gets one; then set {variable} to its folder"
        if self._model is None:
            raise ProviderMissing(self.name, f"no model is set: {how}")
        if not self._model.is_dir():
            raise ProviderMissing(self.name, f"there is no folder {self._model}: {how}")
