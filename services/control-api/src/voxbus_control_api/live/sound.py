"""The sound of calls for those who listen: taken off the bus once per call, mixed once, given to each.

Whoever speaks on the call knows nothing of it: these are plain subscriptions in another process.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

import nats.errors

from voxbus_contracts import CallRef
from voxbus_control_api import metrics
from voxbus_control_api.bus_away import answering
from voxbus_control_api.live.stereo import Stereo
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.audio_frames import frames_of
from voxbus_runtime.bus import Bus
from voxbus_runtime.live import LiveSubscription

MOST_WAITING: Final = 100
"""Frames (2 s) for one listener that does not read; it loses the older ones."""


class Ear:
    """What one listener has not been sent yet."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._wake = asyncio.Event()
        self._is_over = False

    def give(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._wake.set()

    def end(self) -> None:
        self._is_over = True
        self._wake.set()

    async def next(self) -> bytes:
        """All there is, waiting for some; empty when the call is over."""
        while not self._frames and not self._is_over:
            self._wake.clear()
            await self._wake.wait()
        sound = b"".join(self._frames)
        self._frames.clear()
        return sound


class _Line:
    """One call that somebody listens to."""

    def __init__(self, bus: Bus, ref: CallRef) -> None:
        self._bus = bus
        self._ref = ref
        self._stereo = Stereo()
        self._subscriptions: list[LiveSubscription] = []
        self._stop: Callable[[], None] = lambda: None
        self.has_ended = False
        self.ears: set[Ear] = set()

    async def open(self) -> None:
        takes: tuple[tuple[str, Callable[[str, dict[str, str] | None, bytes], None]], ...] = (
            (self._ref.event("call", "ended"), self._on_ended),
            (self._ref.audio("played"), self._on_played),
            (self._ref.audio("caller"), self._on_caller),
        )
        try:
            for subject, take in takes:
                self._subscriptions.append(await self._bus.nc.subscribe_live(subject, take))
            await self._bus.nc.flush(timeout=5)
            if await self._bus.has_event(self._ref, "call", "ended"):
                self.end()
        except BaseException:
            await self.close()
            raise
        self._stop = self._bus.on_reconnect(self._look)

    async def close(self) -> None:
        self._stop()
        self.end()
        for subscription in self._subscriptions:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def join(self) -> Ear:
        ear = Ear()
        self.ears.add(ear)
        if self.has_ended:
            ear.end()
        return ear

    def end(self) -> None:
        """The call is over, or the process stops: what is there is still heard."""
        self.has_ended = True
        self._give(self._stereo.rest())
        for ear in self.ears:
            ear.end()

    def _give(self, sounds: Iterable[bytes]) -> None:
        for sound in sounds:
            for ear in self.ears:
                ear.give(sound)

    async def _look(self) -> None:
        """After a reconnect: the end may have been missed."""
        if await self._bus.has_event(self._ref, "call", "ended"):
            self.end()

    def _on_caller(self, _subject: str, _headers: dict[str, str] | None, payload: bytes) -> None:
        frame = AudioFrame.FromString(payload)
        self._give(self._stereo.caller(frame.pts_ms, frame.epoch, frame.pcm))

    def _on_played(self, _subject: str, _headers: dict[str, str] | None, payload: bytes) -> None:
        for frame in frames_of(payload):
            self._stereo.played(frame.pts_ms, frame.epoch, frame.pcm)

    def _on_ended(self, _subject: str, _headers: dict[str, str] | None, _payload: bytes) -> None:
        self.end()


class LiveSound:
    """One process's."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lines: dict[CallRef, _Line] = {}
        self._changing = asyncio.Lock()
        self.is_stopped = False

    @asynccontextmanager
    async def listening(self, ref: CallRef) -> AsyncGenerator[Ear]:
        """The call's sound from now on. Raises Unavailable."""
        async with answering(), self._changing:
            line = self._lines.get(ref)
            if line is None:
                line = _Line(self._bus, ref)
                await line.open()
                self._lines[ref] = line
            ear = line.join()
        if self.is_stopped:
            ear.end()
        metrics.SOUND_LISTENERS.inc()
        try:
            yield ear
        finally:
            metrics.SOUND_LISTENERS.dec()
            line.ears.discard(ear)
            await asyncio.shield(asyncio.ensure_future(self._tidy(ref)))

    async def stop(self) -> None:
        """Every listener is sent away, to come again elsewhere."""
        self.is_stopped = True
        async with self._changing:
            lines, self._lines = list(self._lines.values()), {}
        for line in lines:
            await line.close()

    async def _tidy(self, ref: CallRef) -> None:
        async with self._changing:
            line = self._lines.get(ref)
            if line is not None and not line.ears:
                del self._lines[ref]
                await line.close()
