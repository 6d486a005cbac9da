"""From the socket to the clock while the loop stands still: what waits in the socket is late, not missing."""

from collections.abc import Callable
from typing import cast

import pytest

from voxbus_audio import FRAME_BYTES, WireFormat
from voxbus_media_ingress import caller_side
from voxbus_media_ingress.caller_side import CallerSide
from voxbus_media_ingress.echo_guard import EchoGuard
from voxbus_media_ingress.publisher import Publisher

LOUD = b"\x00\x20" * (FRAME_BYTES // 2)
BETWEEN_READS_MS = 1.5


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


class Loop:
    """Takes the place of the event loop: virtual time, and the one alarm that is set in it."""

    def __init__(self) -> None:
        self.now_ms = 1_000.0
        self._alarm: VirtualAlarm | None = None

    def alarm(self, on_ring: Callable[[float], None]) -> "VirtualAlarm":
        self._alarm = VirtualAlarm(on_ring)
        return self._alarm

    def run_until(self, at_ms: float) -> None:
        """Everything that is due by then happens in its time, or now where its time has passed."""
        alarm = self._alarm
        while alarm is not None and alarm.at_ms is not None and alarm.at_ms <= max(at_ms, self.now_ms):
            self.now_ms = max(self.now_ms, alarm.at_ms)
            alarm.ring(self.now_ms)
        self.now_ms = max(self.now_ms, at_ms)

    def stand_still(self, for_ms: float) -> None:
        self.now_ms += for_ms


class VirtualAlarm:
    """As `Alarm`: an alarm that is set is not moved back."""

    def __init__(self, on_ring: Callable[[float], None]) -> None:
        self.at_ms: float | None = None
        self._on_ring = on_ring

    def set(self, at_ms: float | None) -> None:
        if at_ms is not None and (self.at_ms is None or at_ms < self.at_ms):
            self.at_ms = at_ms

    def stop(self) -> None:
        self.at_ms = None

    def ring(self, now_ms: float) -> None:
        self.at_ms = None
        self._on_ring(now_ms)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    virtual = Loop()
    monkeypatch.setattr(caller_side, "now_ms", lambda: virtual.now_ms)
    monkeypatch.setattr(caller_side, "Alarm", virtual.alarm)
    return virtual


class Client:
    """Sends a frame every 20 ms; what it sent while nobody read is read one after the other, with pauses between."""

    def __init__(self, loop: Loop) -> None:
        self.heard = Heard()
        self._loop = loop
        self._side = CallerSide(WireFormat("pcm_s16le", 16_000), lambda _: None)
        self._side.start(cast("Publisher", self.heard), cast("EchoGuard", Deaf()))
        self._began_ms = loop.now_ms
        self._sent = 0

    def speak(self, until_frame: int) -> None:
        while self._sent < until_frame:
            due_ms = self._began_ms + 20 * self._sent
            self._loop.run_until(max(self._loop.now_ms + BETWEEN_READS_MS, due_ms))
            self._side.hear(LOUD)
            self._sent += 1

    def loses(self, frames: int) -> None:
        """They are never sent."""
        self._began_ms += 20 * frames


def test_what_is_read_bit_by_bit_after_a_standstill_is_not_filled_in(loop: Loop) -> None:
    client = Client(loop)
    client.speak(10)
    loop.stand_still(400)
    client.speak(45)
    assert client.heard.filled == [False] * 45


def test_what_never_came_is_filled_in_after_a_standstill_too(loop: Loop) -> None:
    client = Client(loop)
    client.speak(10)
    loop.stand_still(400)
    client.loses(20)
    client.speak(20)
    assert 15 <= client.heard.filled.count(True) <= 20
    assert client.heard.filled.count(False) == 20
