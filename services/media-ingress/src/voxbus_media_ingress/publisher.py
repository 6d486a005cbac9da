"""Everything one attachment says on the bus, in the order it happened, off the 20 ms path."""

import asyncio
import contextlib
import time
from typing import Final, Literal

from voxbus_contracts import Command, Event
from voxbus_media_ingress import metrics
from voxbus_media_ingress.alarm import now_ms
from voxbus_media_ingress.ring import FrameRing, KeptFrame
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.errors import OwnershipLost
from voxbus_runtime.owned_call import OwnedCall

_FLUSH_S: Final = 1.0


class Publisher:
    """Numbers frames, keeps them in the ring, and says them again when the bus was away."""

    def __init__(self, call: OwnedCall) -> None:
        self._call = call
        self._ring = FrameRing()
        self._queue: asyncio.Queue[KeptFrame | Event | Command] = asyncio.Queue()
        self._seqs = {"caller": 0, "played": 0}
        self._bus_is_lost = False

    def say(self, message: Event | Command) -> None:
        self._queue.put_nowait(message)

    def caller(self, pts_ms: int, pcm: bytes, filled: bool, origin_unix_us: int) -> None:
        frame = KeptFrame(now_ms(), "caller", pts_ms, self._next("caller"), pcm, 0, filled, origin_unix_us)
        self._frame(frame)

    def played(self, pts_ms: int, pcm: bytes, utterance_seq: int) -> None:
        self._frame(KeptFrame(now_ms(), "played", pts_ms, self._next("played"), pcm, utterance_seq))

    async def run(self) -> None:
        """Publishes until cancelled; ends by itself once a newer attachment owns the call."""
        with contextlib.suppress(OwnershipLost):
            while True:
                item = await self._queue.get()
                if isinstance(item, KeptFrame):
                    await self._call.publish_audio(item.direction, self._audio_frame(item))
                    if item.origin_unix_us and not item.filled:
                        metrics.FRAME_LATENCY.observe(max(0.0, time.time() - item.origin_unix_us / 1_000_000))
                else:
                    await self._call.publish(item)
                self._queue.task_done()

    async def flush(self) -> None:
        """Waits until all is handed to the bus, 1 s at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), _FLUSH_S)

    async def on_disconnect(self) -> None:
        self._bus_is_lost = True
        self._ring.bus_lost(now_ms())

    async def on_reconnect(self) -> None:
        """What was missed goes first, so that readers get the frames in order."""
        missed = self._ring.bus_back()
        self._bus_is_lost = False
        metrics.REPUBLISHED_FRAMES.inc(len(missed))
        for frame in missed:
            self._queue.put_nowait(frame)

    def _next(self, direction: Literal["caller", "played"]) -> int:
        self._seqs[direction] += 1
        return self._seqs[direction]

    def _frame(self, frame: KeptFrame) -> None:
        self._ring.keep(frame)
        if not self._bus_is_lost:
            self._queue.put_nowait(frame)

    def _audio_frame(self, frame: KeptFrame) -> AudioFrame:
        return AudioFrame(
            pcm=frame.pcm,
            pts_ms=frame.pts_ms,
            seq=frame.seq,
            utterance_seq=frame.utterance_seq,
            attachment=self._call.epoch,
            filled=frame.filled,
            origin_unix_us=frame.origin_unix_us,
        )
