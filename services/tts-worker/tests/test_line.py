"""Frames that nobody waits for go in one message; no frame is lost or kept for it."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.owned_call import OwnedCall
from voxbus_tts_worker.line import CallLine


class Bus:
    """A call whose messages are kept, as lists of their frames' numbers."""

    def __init__(self) -> None:
        self.bus = SimpleNamespace(connected=True)
        self.leaving = asyncio.Event()
        self.sent: list[list[int]] = []

    def publish_audio(self, direction: str, frame: AudioFrame) -> None:
        assert direction == "agent"
        self.sent.append([frame.seq, *(more.seq for more in frame.more)])

    @property
    def line(self) -> CallLine:
        return CallLine(cast("OwnedCall", cast("Any", self)))


async def send(line: CallLine, times: int, *, may_wait: bool) -> None:
    for _ in range(times):
        await line.send(AudioFrame(pcm=bytes(640)), may_wait=may_wait)


async def test_frames_that_are_waited_for_go_by_themselves() -> None:
    bus = Bus()
    await send(bus.line, 3, may_wait=False)
    assert bus.sent == [[1], [2], [3]]


async def test_frames_that_may_wait_go_five_at_a_time() -> None:
    bus = Bus()
    await send(bus.line, 10, may_wait=True)
    assert bus.sent == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]


async def test_a_frame_that_is_waited_for_takes_those_before_it_along_in_their_order() -> None:
    bus = Bus()
    line = bus.line
    await send(line, 2, may_wait=True)
    await send(line, 1, may_wait=False)
    assert bus.sent == [[1, 2, 3]]


async def test_frames_that_nothing_follows_leave_by_themselves() -> None:
    bus = Bus()
    await send(bus.line, 2, may_wait=True)
    assert not bus.sent
    await asyncio.sleep(0.3)
    assert bus.sent == [[1, 2]]


async def test_a_worker_that_leaves_keeps_nothing_back() -> None:
    bus = Bus()
    bus.leaving.set()
    await send(bus.line, 2, may_wait=True)
    assert bus.sent == [[1], [2]]


async def test_frames_that_waited_when_the_bus_was_lost_go_with_the_next() -> None:
    bus = Bus()
    line = bus.line
    await send(line, 2, may_wait=True)
    bus.bus.connected = False
    await asyncio.sleep(0.3)
    assert not bus.sent
    bus.bus.connected = True
    await send(line, 1, may_wait=False)
    assert bus.sent == [[1, 2, 3]]
