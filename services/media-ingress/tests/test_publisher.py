"""What an attachment says, and what follows from it."""

import asyncio
from typing import Any, cast

import pytest

from voxbus_contracts.commands import ControlCall
from voxbus_contracts.config import WorkerBack
from voxbus_contracts.events import CallRinging
from voxbus_media_ingress.publisher import Publisher
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.errors import OwnershipLost
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.said_frames import SayingAgain


class Log:
    """What the bus was given; a newer attachment has the call once `is_lost`."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.is_lost = False

    async def publish(self, message: Any) -> None:
        if self.is_lost:
            raise OwnershipLost("it belongs to a newer one")
        self.said.append(message.name())


class Air:
    """Frames as they were published; `epoch` of the attachment."""

    epoch = 3

    def __init__(self) -> None:
        self.live: list[int] = []
        self.again: list[tuple[str, bytes]] = []

    def publish_audio(self, direction: str, frame: AudioFrame) -> bytes:
        self.live.append(frame.pts_ms)
        return self.audio_payload(frame)

    def audio_payload(self, frame: AudioFrame) -> bytes:
        return f"{'played' if frame.utterance_seq else 'caller'} {frame.pts_ms}".encode()

    def publish_audio_again(self, direction: str, payload: bytes) -> None:
        self.again.append((direction, payload))


async def test_what_the_bus_missed_is_said_again_and_once_more_when_a_worker_was_cut_off() -> None:
    air = Air()
    publisher = Publisher(cast(OwnedCall, air))
    publisher.caller(20, bytes(640), filled=False, origin_unix_us=0)
    await publisher.said.on_disconnect()
    publisher.played(40, bytes(640), 1)
    publisher.send_played()
    await publisher.said.on_reconnect()
    missed = [("caller", b"caller 20"), ("played", b"played 40")]
    assert air.again == missed
    again = SayingAgain(lambda: [publisher.said])
    for deaf_ms in (300, 60_000):
        again.on_back("worker.v1.vad.vad-1.back", None, WorkerBack(deaf_ms=deaf_ms).payload())
    publisher.caller(60, bytes(640), filled=False, origin_unix_us=0)
    async with asyncio.timeout(5):
        while len(air.again) < 5:
            await asyncio.sleep(0.01)
    assert air.again[2:] == [*missed, ("caller", b"caller 60")], "once for both"


async def test_nothing_new_goes_ahead_of_what_the_bus_missed() -> None:
    """Readers that were not cut off know of no loss: for them a newer frame would close the hole."""
    air = Air()
    publisher = Publisher(cast(OwnedCall, air))
    publisher.caller(20, bytes(640), filled=False, origin_unix_us=0)
    await publisher.said.on_disconnect()
    publisher.caller(40, bytes(640), filled=False, origin_unix_us=0)
    assert (air.live, air.again) == ([20], [])
    await publisher.said.on_reconnect()
    publisher.caller(60, bytes(640), filled=False, origin_unix_us=0)
    assert (air.live, air.again) == ([20, 60], [("caller", b"caller 20"), ("caller", b"caller 40")])


@pytest.mark.parametrize("is_lost", [False, True])
async def test_what_takes_effect_here_is_on_the_log_before_it_does_or_never_takes_effect(is_lost: bool) -> None:
    log = Log()
    log.is_lost = is_lost
    publisher = Publisher(cast(OwnedCall, log))
    seen: list[list[str]] = []
    publisher.say(CallRinging())
    publisher.say(ControlCall(control="mute-customer"), then=lambda: seen.append(list(log.said)))
    assert not seen
    running = asyncio.ensure_future(publisher.run())
    if is_lost:
        await asyncio.wait_for(running, 5)
    else:
        await asyncio.wait_for(publisher.flush(), 5)
        running.cancel()
    assert seen == ([] if is_lost else [["call.ringing", "call.control"]])
