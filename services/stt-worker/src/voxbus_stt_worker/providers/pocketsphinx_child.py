"""`python -m voxbus_stt_worker.providers.pocketsphinx_child DECODERS`: decodes for many calls in a process of its own.

The decoder holds the GIL and takes 91 MB, so a process has few of them and lends one to an utterance, not to a call.
Never writes what it hears anywhere but into the pipe.
"""

import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from pocketsphinx import Decoder

from voxbus_providers.pipe import ChildPipe, PipeKind
from voxbus_stt_worker.providers.engine_wire import DECODED_MS, Kind
from voxbus_stt_worker.providers.pocketsphinx_decoders import Decoders, say_unusable
from voxbus_stt_worker.providers.pocketsphinx_wire import GENERAL

_PARTIAL_EVERY_BYTES: Final = 300 * 32


@dataclass(slots=True)
class Caller:
    """One call: what is still to be decoded, and the decoder lent to its present utterance."""

    exchange: int
    model: str = GENERAL
    todo: deque[bytes | None] = field(default_factory=deque)
    """PCM, or None for a flush."""
    decoder: Decoder | None = None
    mean: str | None = None
    """Cepstral mean of the call so far: callers and lines differ, and the next utterance starts from it."""
    decoded_bytes: int = 0
    since_partial_bytes: int = 0
    partial: str = ""


class Decoding:
    """All calls of the process and the decoders they share; utterances that find none wait in order."""

    def __init__(self, pipe: ChildPipe, limit: int) -> None:
        self._pipe = pipe
        self._decoders = Decoders(limit)
        self._callers: dict[int, Caller] = {}
        self._wanted: Counter[str] = Counter()
        self._waiting: deque[Caller] = deque()

    def open(self, exchange: int, model: str) -> None:
        self._callers[exchange] = Caller(exchange, model)
        self._wanted[model] += 1

    def close(self, exchange: int) -> None:
        caller = self._callers.pop(exchange, None)
        if caller is not None:
            caller.todo.clear()
            self._forget(caller.model)
            self._give_back(caller)

    def take(self, exchange: int, piece: bytes | None) -> None:
        """Audio, or None for a flush."""
        caller = self._callers.get(exchange)
        if caller is not None:
            caller.todo.append(piece)
            self._work(caller)
            self._serve_waiting()

    def prepare(self) -> None:
        """In a quiet moment: makes another decoder if more calls are open than there are decoders."""
        self._decoders.prepare(self._wanted)

    def _work(self, caller: Caller) -> None:
        while caller.todo:
            if caller.todo[0] is not None and caller.decoder is None and not self._lend(caller):
                if caller not in self._waiting:
                    self._waiting.append(caller)
                return
            piece = caller.todo.popleft()
            if piece is None:
                self._finish(caller)
            else:
                self._decode(caller, piece)

    def _serve_waiting(self) -> None:
        for _ in range(len(self._waiting)):
            self._work(self._waiting.popleft())

    def _lend(self, caller: Caller) -> bool:
        try:
            decoder = self._decoders.lend(caller.model)
        except RuntimeError as problem:
            say_unusable(problem)
            self._forget(caller.model)
            caller.model = GENERAL
            self._wanted[GENERAL] += 1
            decoder = self._decoders.lend(GENERAL)
        if decoder is None:
            return False
        caller.decoder = decoder
        decoder.set_cmn(caller.mean or self._decoders.neutral_mean)
        decoder.start_utt()
        return True

    def _decode(self, caller: Caller, pcm: bytes) -> None:
        if not pcm or caller.decoder is None:
            return
        caller.decoder.process_raw(pcm, False, False)
        caller.decoded_bytes += len(pcm)
        caller.since_partial_bytes += len(pcm)
        if caller.since_partial_bytes < _PARTIAL_EVERY_BYTES:
            return
        caller.since_partial_bytes = 0
        text = _text(caller.decoder)
        if text and text != caller.partial:
            caller.partial = text
            self._say(caller, Kind.PARTIAL, text)

    def _finish(self, caller: Caller) -> None:
        text = ""
        if caller.decoder is not None:
            caller.decoder.end_utt()
            text = _text(caller.decoder)
            caller.mean = caller.decoder.get_cmn(True)
            self._decoders.give_back(caller.model, caller.decoder)
            caller.decoder = None
        self._say(caller, Kind.FINAL, text)
        caller.decoded_bytes = caller.since_partial_bytes = 0
        caller.partial = ""

    def _give_back(self, caller: Caller) -> None:
        if caller in self._waiting:
            self._waiting.remove(caller)
        if caller.decoder is not None:
            caller.decoder.end_utt()
            self._decoders.give_back(caller.model, caller.decoder)
            caller.decoder = None
        self._serve_waiting()

    def _forget(self, model: str) -> None:
        self._wanted[model] -= 1
        if not self._wanted[model]:
            del self._wanted[model]

    def _say(self, caller: Caller, kind: Kind, text: str) -> None:
        self._pipe.send(caller.exchange, kind, DECODED_MS.pack(caller.decoded_bytes // 32) + text.encode())


def _text(decoder: Decoder) -> str:
    hypothesis = decoder.hyp()
    return hypothesis.hypstr.strip() if hypothesis is not None else ""


def main() -> None:
    """Serves the pipe until the service hangs up."""
    pipe = ChildPipe()
    decoding = Decoding(pipe, limit=int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    pipe.ready()
    for message in pipe.messages(idle=decoding.prepare):
        match message.kind:
            case Kind.OPEN:
                decoding.open(message.exchange, message.body.decode())
            case Kind.AUDIO:
                decoding.take(message.exchange, message.body)
            case Kind.FLUSH:
                decoding.take(message.exchange, None)
            case PipeKind.CLOSE:
                decoding.close(message.exchange)
            case _:
                pass


if __name__ == "__main__":
    main()
