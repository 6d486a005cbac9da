"""The child's side of every voice: takes sentences from the pipe, speaks them one after the other.

Never writes what it says anywhere but into the pipe.
"""

import os
import queue
import threading
from collections.abc import Callable
from typing import Final, Protocol

from voxbus_audio import SAMPLE_RATE_HZ, StreamResampler
from voxbus_providers.errors import ProviderError
from voxbus_providers.pipe import ChildPipe, PipeKind
from voxbus_tts_worker.leading_silence import LeadingSilence
from voxbus_tts_worker.providers.voice_wire import Ask, Kind, Marks, packed_marks

Give = Callable[[bytes, int], bool]
"""(mono s16le samples, their rate in Hz) → whether the engine is to go on"""


class Engine(Protocol):
    """What a child speaks with."""

    def speak(self, ask: Ask, give: Give) -> Marks:
        """Gives the sound piece by piece until it ends or `give` says no. Raises ProviderError."""
        ...

    def rest(self) -> None:
        """After a sentence, when everything of it is sent: whatever would be heard in the next one is forgotten."""
        ...


class VoicePipe(ChildPipe):
    """Two threads write: the one that speaks, and the one that reads and answers pings."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def send(self, exchange: int, kind: int, body: bytes = b"") -> None:
        with self._lock:
            super().send(exchange, kind, body)


class Sound:
    """One sentence's samples on their way into the pipe: at 16 kHz, without leading silence."""

    def __init__(self, send: Callable[[bytes], None], is_wanted: Callable[[], bool]) -> None:
        self._send = send
        self._is_wanted = is_wanted
        self._resampler: StreamResampler | None = None
        self.silence: Final = LeadingSilence()

    def give(self, pcm: bytes, rate_hz: int) -> bool:
        if not self._is_wanted():
            return False
        if self._resampler is None:
            self._resampler = StreamResampler(rate_hz, SAMPLE_RATE_HZ)
        self._put(self._resampler.push(pcm))
        return True

    def end(self) -> None:
        if self._resampler is not None:
            self._put(self._resampler.flush())

    def _put(self, pcm: bytes) -> None:
        heard = self.silence.push(pcm)
        if heard:
            self._send(heard)


class Desk:
    """Sentences in the order in which they came; those that are closed meanwhile are dropped."""

    def __init__(self, pipe: ChildPipe, engine: Engine) -> None:
        self._pipe = pipe
        self._engine = engine
        self._asked: queue.SimpleQueue[tuple[int, Ask]] = queue.SimpleQueue()
        self._open: set[int] = set()

    def read(self) -> None:
        """In a thread of its own, so that a cancel is heard while a sentence is spoken; ends the process."""
        for message in self._pipe.messages():
            if message.kind == Kind.SPEAK:
                self._open.add(message.exchange)
                self._asked.put((message.exchange, Ask.of(message.body)))
            elif message.kind == PipeKind.CLOSE:
                self._open.discard(message.exchange)
        os._exit(0)

    def speak_for_ever(self) -> None:
        while True:
            exchange, ask = self._asked.get()
            if exchange in self._open:
                self._speak(exchange, ask)
                self._open.discard(exchange)

    def _speak(self, exchange: int, ask: Ask) -> None:
        sound = Sound(
            lambda pcm: self._pipe.send(exchange, Kind.AUDIO, pcm),
            lambda: exchange in self._open,
        )
        try:
            marks = self._engine.speak(ask, sound.give)
        except ProviderError as problem:
            self._pipe.fault(exchange, problem)
            self._engine.rest()
            return
        sound.end()
        cut_ms = sound.silence.cut_ms
        shifted = [(position, max(0.0, at_ms - cut_ms)) for position, at_ms in marks]
        self._pipe.send(exchange, Kind.DONE, packed_marks(shifted))
        self._engine.rest()


def run(load: Callable[[], Engine]) -> None:
    """Serves the pipe until the service hangs up."""
    pipe = VoicePipe()
    try:
        engine = load()
    except ProviderError as problem:
        pipe.fault(0, problem)
        return
    desk = Desk(pipe, engine)
    threading.Thread(target=desk.read, daemon=True).start()
    pipe.ready()
    desk.speak_for_ever()
