"""From the socket to the bus: wire bytes → 20 ms frames on the caller clock → audio…caller."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from voxbus_audio import SILENCE_FRAME, AudioError, WireDecoder, WireFormat
from voxbus_media_ingress import metrics
from voxbus_media_ingress.alarm import Alarm, now_ms
from voxbus_media_ingress.clock import MAX_QUEUED_MS, CallerClock, CallerFrame
from voxbus_media_ingress.connection import PLAIN_BYTES
from voxbus_media_ingress.echo_guard import EchoGuard
from voxbus_media_ingress.inbound import error_text
from voxbus_media_ingress.publisher import Publisher

_PIECE_BYTES: Final = PLAIN_BYTES
_FULL_PAUSE_S: Final = 0.1
_STANDSTILL_MS: Final = 10.0
_READ_FIRST_MS: Final = 8.0


class CallerSide:
    """Drives one attachment's clock. Listens from the first moment, publishes from `start` to `stop`.

    `tell` sends a text to the client.
    """

    def __init__(self, fmt: WireFormat, tell: Callable[[str], None]) -> None:
        self.muted = False
        self.clock = CallerClock(now_ms())
        self._decoder = WireDecoder(fmt)
        self._publisher: Publisher | None = None
        self._echo: EchoGuard | None = None
        self._tell = tell
        self._alarm = Alarm(self._on_alarm)
        self._due_ms = 0.0
        self._reads_first = False
        self._heard = False
        self._told = ""
        self._unix_minus_monotonic_ms = time.time_ns() / 1_000_000 - now_ms()

    def start(self, publisher: Publisher, echo: EchoGuard) -> None:
        self._publisher = publisher
        self._echo = echo
        self._pace(now_ms())

    def stop(self) -> None:
        self._publisher = None
        self._alarm.stop()
        metrics.FILLED_FRAMES.inc(self.clock.filled_frames)
        metrics.DROPPED_FRAMES.inc(self.clock.dropped_frames)

    def hear(self, wire: bytes) -> bool:
        """One binary message of any length; a sample cut in two is joined with the next message.

        False = more than may wait has come: the client is to be held back.
        """
        refused = self._take(wire)
        if refused:
            metrics.REFUSED_FRAMES.inc(refused)
            limit_s = MAX_QUEUED_MS // 1_000
            self._tell_once("audio-too-far-ahead", f"more than {limit_s} s of audio wait: send in real time")
        elif self._told == "audio-too-far-ahead":
            self._told = ""
        return not refused

    async def on_bytes(self, wire: bytes) -> None:
        """Like `hear`, piece by piece, and waits while the client is to be held back."""
        for start in range(0, len(wire), _PIECE_BYTES):
            if not self.hear(wire[start : start + _PIECE_BYTES]):
                await asyncio.sleep(_FULL_PAUSE_S)
            await asyncio.sleep(0)

    def _take(self, wire: bytes) -> int:
        arrived_ms = now_ms()
        self._heard = True
        try:
            frames = self._decoder.push(wire)
        except AudioError as wrong:
            self._tell_once(wrong.code, str(wrong))
            return 0
        refused = self.clock.push(frames, arrived_ms)
        if self._publisher is not None:
            self._publish(self._publisher, self.clock.take())
            self._set_alarm(arrived_ms)
        return refused

    def _pace(self, at_ms: float) -> None:
        if self._publisher is not None:
            self._publish(self._publisher, self.clock.poll(at_ms))
            self._set_alarm(at_ms)

    def _publish(self, publisher: Publisher, frames: list[CallerFrame]) -> None:
        for frame in frames:
            pcm = SILENCE_FRAME if self.muted else frame.pcm
            origin_unix_us = int((frame.arrived_ms + self._unix_minus_monotonic_ms) * 1_000)
            publisher.caller(frame.pts_ms, pcm, frame.filled, origin_unix_us)
            if self._echo is not None:
                self._echo.heard(frame.pts_ms, pcm)

    def _set_alarm(self, at_ms: float) -> None:
        self._due_ms = self.clock.next_due(at_ms)
        self._alarm.set(self._due_ms)

    def _on_alarm(self, at_ms: float) -> None:
        """After a standstill of the loop the socket is read first, to its end: what waits there is not missing.

        The alarm is not moved back for each frame that comes, so it mostly rings too early.
        """
        if at_ms < self._due_ms and not self._reads_first:
            self._alarm.set(self._due_ms)
            return
        late_ms = at_ms - self._due_ms
        self._reads_first = late_ms > 0 and self._heard if self._reads_first else late_ms > _STANDSTILL_MS
        if self._reads_first:
            self._heard = False
            self._alarm.set(at_ms + _READ_FIRST_MS)
        else:
            self._pace(at_ms)

    def _tell_once(self, code: str, what: str) -> None:
        if self._told != code:
            self._told = code
            self._tell(error_text(code, what, "audio"))
