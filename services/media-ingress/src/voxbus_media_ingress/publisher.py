"""Everything one attachment says on the bus: frames at once, events in the order they happened."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from voxbus_contracts import Command, Event
from voxbus_media_ingress import metrics
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.errors import OwnershipLost
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.said_frames import SaidFrames

_FLUSH_S: Final = 1.0
_PLAYED_TOGETHER: Final = 5
"""Frames that left for the caller, in one message: 100 ms. Recorders and listeners need them soon, not at once."""


class Publisher:
    """Numbers frames and events; `said` says frames again when the bus was away."""

    def __init__(self, call: OwnedCall) -> None:
        self._call = call
        self.said = SaidFrames(call, metrics.REPUBLISHED_FRAMES.inc)
        self._queue: asyncio.Queue[tuple[Event | Command, Callable[[], None] | None]] = asyncio.Queue()
        self._caller_seq = 0
        self._played_seq = 0
        self._played: AudioFrame | None = None
        """Left, and not on the bus yet."""

    def say(self, message: Event | Command, then: Callable[[], None] | None = None) -> None:
        """`then` is done once it is said: what takes effect here is on the log before it does."""
        self._queue.put_nowait((message, then))

    def caller(self, pts_ms: int, pcm: bytes, filled: bool, origin_unix_us: int) -> None:
        """20 ms of the caller."""
        self._caller_seq += 1
        frame = AudioFrame(
            pcm=pcm,
            pts_ms=pts_ms,
            seq=self._caller_seq,
            epoch=self._call.epoch,
            attachment=self._call.epoch,
            filled=filled,
            origin_unix_us=origin_unix_us,
        )
        self.said.say("caller", frame)
        if origin_unix_us and not filled:
            metrics.FRAME_LATENCY.observe(time.time_ns() / 1e6 - origin_unix_us / 1e3)

    def played(self, pts_ms: int, pcm: bytes, utterance_seq: int) -> None:
        """20 ms that left for the caller; on the bus with the next ones, or when `send_played` says so."""
        self._played_seq += 1
        make = AudioFrame if self._played is None else self._played.more.add
        frame = make(
            pcm=pcm,
            pts_ms=pts_ms,
            seq=self._played_seq,
            utterance_seq=utterance_seq,
            epoch=self._call.epoch,
            attachment=self._call.epoch,
        )
        if self._played is None:
            self._played = frame
        if len(self._played.more) + 1 >= _PLAYED_TOGETHER:
            self.send_played()

    def send_played(self) -> None:
        """Nothing more leaves for now: what has left is not kept back."""
        if self._played is not None:
            played, self._played = self._played, None
            self.said.say("played", played)

    async def run(self) -> None:
        """Publishes events until cancelled; ends by itself once a newer attachment owns the call."""
        with contextlib.suppress(OwnershipLost):
            while True:
                message, then = await self._queue.get()
                await self._call.publish(message)
                if then is not None:
                    then()
                self._queue.task_done()

    async def flush(self) -> None:
        """Waits until all is handed to the bus, 1 s at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), _FLUSH_S)
