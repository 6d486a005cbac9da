"""Where a call's agent frames leave for the bus: several in one message where nobody waits for them."""

import asyncio
import contextlib
from collections.abc import Generator
from itertools import count
from typing import Final

from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.said_frames import SaidFrames
from voxbus_tts_worker import metrics

_TOGETHER: Final = 5
_WAITS_S: Final = 0.1
"""How long a frame waits at most for those that go with it."""
_BUS_LOST_S: Final = 0.05


class CallLine:
    """The call's agent side: numbers frames, and waits while the bus is lost; `said` says again what it took along."""

    def __init__(self, call: OwnedCall) -> None:
        self._call = call
        self.said = SaidFrames(call, metrics.REPUBLISHED_FRAMES.inc)
        self._newest_seq = 0
        """The newest utterance of which frames were sent."""
        self._numbers = count(1)
        self._waiting: AudioFrame | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def hurry(self) -> asyncio.Event:
        return self._call.leaving

    async def send(self, frame: AudioFrame, *, may_wait: bool) -> None:
        """Frames leave in the order they are given."""
        while not self._call.bus.connected:  # noqa: ASYNC110 - the bus tells its state, not its change
            await asyncio.sleep(_BUS_LOST_S)
        frame.seq, frame.epoch = next(self._numbers), self._call.epoch
        self._newest_seq = max(self._newest_seq, frame.utterance_seq)
        if self._waiting is None:
            self._waiting = frame
        else:
            self._waiting.more.append(frame)
        if not may_wait or self.hurry.is_set() or len(self._waiting.more) + 1 >= _TOGETHER:
            self._send_waiting()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WAITS_S, self._send_waiting)

    def heard(self, upto_utterance_seq: int) -> None:
        """The caller has heard, or will never hear, all up to a number: if that is all, nothing is said again."""
        if upto_utterance_seq >= self._newest_seq:
            self.said.forget()

    @contextlib.contextmanager
    def following_the_bus(self) -> Generator[None]:
        """Meanwhile frames that were under way when the bus was lost are said again."""
        bus = self._call.bus
        undo = (bus.on_disconnect(self.said.on_disconnect), bus.on_reconnect(self.said.on_reconnect))
        try:
            yield
        finally:
            for stop in undo:
                stop()
            self.said.forget()

    def _send_waiting(self) -> None:
        """While the bus is lost they stay: the next frame waits for it, too, and they go with that one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting is not None and self._call.bus.connected:
            waiting, self._waiting = self._waiting, None
            self.said.say("agent", waiting)
