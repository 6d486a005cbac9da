"""From the socket to the clock while the loop stands still: what waits in the socket is late, not missing."""

import asyncio
import time
from typing import cast

from voxbus_audio import FRAME_BYTES, WireFormat
from voxbus_media_ingress.caller_side import CallerSide
from voxbus_media_ingress.echo_guard import EchoGuard
from voxbus_media_ingress.publisher import Publisher

LOUD = b"\x00\x20" * (FRAME_BYTES // 2)


class Heard:
    """Takes the place of the bus: what was published, and whether it was filled in."""

    def __init__(self) -> None:
        self.filled: list[bool] = []

    def caller(self, _pts_ms: int, _pcm: bytes, filled: bool, _origin_unix_us: int) -> None:
        self.filled.append(filled)


class Deaf:
    """Takes the place of the echo guard."""

    def heard(self, _pts_ms: int, _pcm: bytes) -> None:
        pass


def listening() -> tuple[CallerSide, Heard]:
    heard = Heard()
    side = CallerSide(WireFormat("pcm_s16le", 16_000), lambda _: None)
    side.start(cast("Publisher", heard), cast("EchoGuard", Deaf()))
    return side, heard


class Client:
    """Sends a frame every 20 ms; what it sent while nobody read is read one after the other, with pauses between."""

    def __init__(self, side: CallerSide) -> None:
        self._side = side
        self._began_s = time.monotonic()
        self._sent = 0

    async def speak(self, until_frame: int) -> None:
        while self._sent < until_frame:
            due_s = self._began_s + 0.02 * self._sent
            await asyncio.sleep(max(0.0015, due_s - time.monotonic()))
            self._side.hear(LOUD)
            self._sent += 1

    def loses(self, frames: int) -> None:
        """They are never sent."""
        self._began_s += 0.02 * frames


async def test_what_is_read_bit_by_bit_after_a_standstill_is_not_filled_in() -> None:
    side, heard = listening()
    client = Client(side)
    await client.speak(10)
    time.sleep(0.4)
    await client.speak(45)
    side.stop()
    assert heard.filled.count(False) == 45
    assert heard.filled.count(True) <= 5, "17 when only the first few ms of reading are waited for"


async def test_what_never_came_is_filled_in_after_a_standstill_too() -> None:
    side, heard = listening()
    client = Client(side)
    await client.speak(10)
    time.sleep(0.4)
    client.loses(20)
    await client.speak(20)
    side.stop()
    assert 15 <= heard.filled.count(True) <= 25
