"""Frames that nobody waits for go in one message; no frame is lost or kept for it, and a lost bus gets them again."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.owned_call import OwnedCall
from voxbus_tts_worker.line import CallLine


class Bus:
    """A call whose messages are kept, as lists of their frames' numbers."""

    def __init__(self) -> None:
        self.lost: list[Callable[[], Awaitable[None]]] = []
        self.back: list[Callable[[], Awaitable[None]]] = []
        self.bus = SimpleNamespace(
            connected=True, on_disconnect=partial(_listed, self.lost), on_reconnect=partial(_listed, self.back)
        )
        self.leaving = asyncio.Event()
        self.epoch = 1
        self.sent: list[list[int]] = []
        self.again: list[list[int]] = []

    def publish_audio(self, direction: str, frame: AudioFrame) -> bytes:
        assert direction == "agent"
        self.sent.append(list(self.audio_payload(frame)))
        return bytes(self.sent[-1])

    def audio_payload(self, frame: AudioFrame) -> bytes:
        return bytes([frame.seq, *(more.seq for more in frame.more)])

    def publish_audio_again(self, direction: str, payload: bytes) -> None:
        assert direction == "agent"
        self.again.append(list(payload))

    async def fails(self) -> None:
        """The bus goes and comes back."""
        for each in (*self.lost, *self.back):
            await each()

    @property
    def line(self) -> CallLine:
        return CallLine(cast("OwnedCall", cast("Any", self)))


def _listed(callbacks: list[Callable[[], Awaitable[None]]], callback: Callable[[], Awaitable[None]]) -> Any:
    callbacks.append(callback)
    return lambda: callbacks.remove(callback)


async def send(line: CallLine, times: int, *, may_wait: bool, utterance_seq: int = 1) -> None:
    for _ in range(times):
        await line.send(AudioFrame(pcm=bytes(640), utterance_seq=utterance_seq), may_wait=may_wait)


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


async def test_what_was_under_way_when_the_bus_was_lost_is_said_again_as_it_was_sent() -> None:
    bus = Bus()
    line = bus.line
    with line.following_the_bus():
        await send(line, 5, may_wait=True)
        await send(line, 1, may_wait=False)
        await bus.fails()
        assert bus.again == [[1, 2, 3, 4, 5], [6]]
    assert not bus.lost and not bus.back


async def test_what_was_heard_is_not_said_again_unless_more_is_to_be_heard() -> None:
    bus = Bus()
    line = bus.line
    with line.following_the_bus():
        await send(line, 2, may_wait=False, utterance_seq=1)
        await send(line, 2, may_wait=False, utterance_seq=2)
        line.heard(1)
        await bus.fails()
        assert bus.again == [[1], [2], [3], [4]], "the readers know what they have"
        line.heard(2)
        await bus.fails()
        assert len(bus.again) == 4
