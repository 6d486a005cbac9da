"""`python -m voxbus_stt_worker.providers.folder_child MODULE:CLASS FOLDER`: an engine and its model, for many calls.

Never writes what it hears anywhere but into the pipe.
"""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus_providers.errors import ProviderError
from voxbus_providers.pipe import ChildPipe, PipeKind, PipeMessage
from voxbus_stt_worker.providers.engine_wire import DECODED_MS, Kind
from voxbus_stt_worker.providers.folder_recognizer import FolderEngine, FolderStream

_BYTES_PER_MS: Final = 32


@dataclass(slots=True)
class Caller:
    """One call."""

    stream: FolderStream
    heard_bytes: int = 0
    """Since the last flush."""
    partial: str = ""


class Hearing:
    """All calls of the process."""

    def __init__(self, pipe: ChildPipe, engine: FolderEngine) -> None:
        self._pipe = pipe
        self._engine = engine
        self._callers: dict[int, Caller] = {}

    def take(self, message: PipeMessage) -> None:
        """One message of the service."""
        if message.kind == Kind.OPEN:
            self._callers[message.exchange] = Caller(self._engine.stream())
            return
        caller = self._callers.get(message.exchange)
        if caller is None:
            return
        match message.kind:
            case Kind.AUDIO:
                self._hear(message.exchange, caller, message.body)
            case Kind.FLUSH:
                self._finish(message.exchange, caller)
            case PipeKind.CLOSE:
                del self._callers[message.exchange]
            case _:
                pass

    def _hear(self, exchange: int, caller: Caller, pcm: bytes) -> None:
        if not pcm:
            return
        caller.heard_bytes += len(pcm)
        text = caller.stream.feed(pcm)
        if text and text != caller.partial:
            caller.partial = text
            self._say(exchange, caller, Kind.PARTIAL, text)

    def _finish(self, exchange: int, caller: Caller) -> None:
        text = caller.stream.finish() if caller.heard_bytes else ""
        self._say(exchange, caller, Kind.FINAL, text)
        caller.heard_bytes, caller.partial = 0, ""

    def _say(self, exchange: int, caller: Caller, kind: Kind, text: str) -> None:
        self._pipe.send(exchange, kind, DECODED_MS.pack(caller.heard_bytes // _BYTES_PER_MS) + text.encode())


def main() -> None:
    """Serves the pipe until the service hangs up."""
    module, _, name = sys.argv[1].partition(":")
    pipe = ChildPipe()
    try:
        engine: FolderEngine = getattr(importlib.import_module(module), name)(Path(sys.argv[2]))
    except ProviderError as fault:
        pipe.fault(0, fault)
        return
    hearing = Hearing(pipe, engine)
    pipe.ready()
    for message in pipe.messages():
        hearing.take(message)


if __name__ == "__main__":
    main()
