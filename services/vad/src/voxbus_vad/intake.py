"""A call's frames on their way into its listener: live ones, and after a takeover first those nobody heard."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from voxbus_audio import FRAME_BYTES, SILENCE_FRAME
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.errors import RuntimeFault
from voxbus_vad import metrics
from voxbus_vad.listening import Listener

CATCH_UP_TIMEOUT_S: Final = 0.5
"""The stream answers within a few ms; without an answer, live audio must not wait any longer."""
MISSED_WITHIN_S: Final = 1.6
"""After a loss of the bus: media-ingress says again what was missed, as soon as it hears that this worker is back."""


class Intake:
    """Passes frames on as they arrive, or holds them until `release`."""

    __slots__ = ("_early", "_giving_up", "_held", "_listener", "_stopped", "first_pts_ms")

    def __init__(self, listener: Listener, hold: bool) -> None:
        self._listener = listener
        self._held: list[AudioFrame] | None = [] if hold else None
        self._early: dict[int, AudioFrame] | None = None
        """Frames behind a hole, by pts, while what the bus missed may still come; None = nothing is waited for."""
        self._giving_up: asyncio.TimerHandle | None = None
        self._stopped = False
        self.first_pts_ms: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Where live audio begins; set by the first held frame."""

    def on_frame(self, frame: AudioFrame) -> None:
        """A live frame, straight from the subscription."""
        if self._held is None:
            if self._early is None:
                self._hear(frame)
            else:
                self._hear_in_order(self._early, frame)
            return
        self._held.append(frame)
        if not self.first_pts_ms.done():
            self.first_pts_ms.set_result(frame.pts_ms)

    async def on_bus_lost(self) -> None:
        """From here on frames behind a hole wait for those in it."""
        self._early = self._early or {}

    async def on_bus_back(self) -> None:
        """They wait for a moment longer; then what did not come is given up."""
        if self._giving_up is not None:
            self._giving_up.cancel()
        self._giving_up = asyncio.get_running_loop().call_later(MISSED_WITHIN_S, self._give_up)

    def release(self, missed: Iterable[AudioFrame]) -> None:
        """Lets the missed frames through, oldest first, then those held; from here on nothing is held."""
        held, self._held = self._held or [], None
        for frame in (*missed, *held):
            self._hear(frame)

    def stop(self) -> None:
        """The call leaves: what still arrives is the next owner's."""
        self._stopped = True
        if self._giving_up is not None:
            self._giving_up.cancel()
        self._listener.settle()

    def _hear_in_order(self, early: dict[int, AudioFrame], frame: AudioFrame) -> None:
        early[frame.pts_ms] = frame
        at_ms = self._listener.upto_ms or frame.pts_ms
        while (ready := early.pop(at_ms, None)) is not None:
            self._hear(ready)
            at_ms = self._listener.upto_ms

    def _give_up(self) -> None:
        early, self._early = self._early or {}, None
        for pts_ms in sorted(early):
            self._hear(early[pts_ms])

    def _hear(self, frame: AudioFrame) -> None:
        if self._stopped:
            return
        if len(frame.pcm) != FRAME_BYTES:
            metrics.BROKEN_FRAMES.inc()
            self._listener.hear(frame.pts_ms, SILENCE_FRAME, True)
        else:
            self._listener.hear(frame.pts_ms, frame.pcm, frame.filled)


async def catch_up(
    intake: Intake,
    replay: Callable[[int, int], Awaitable[list[AudioFrame]]],
    replay_ms: int,
    timeout_s: float = CATCH_UP_TIMEOUT_S,
) -> bool:
    """Hears what was said while nobody owned the stage, up to `replay_ms` back; False = the stream gave nothing.

    `replay` gives the frames from one pts up to another. In the end the intake holds nothing back any more.
    """
    missed: list[AudioFrame] = []
    live_ms = await intake.first_pts_ms
    try:
        if replay_ms:
            async with asyncio.timeout(timeout_s):
                missed = await replay(max(0, live_ms - replay_ms), live_ms)
        return True
    except (TimeoutError, RuntimeFault):
        metrics.FAILED_CATCH_UPS.inc()
        return False
    finally:
        intake.release(missed)
