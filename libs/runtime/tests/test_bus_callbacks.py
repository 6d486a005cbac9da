"""Who wants to know of the bus's going and coming cannot keep it from coming back."""

import nats
import structlog

from voxbus_runtime.bus import Bus
from voxbus_runtime.live import LiveClient


async def test_one_that_fails_is_left_and_the_others_are_told() -> None:
    bus = Bus(LiveClient(structlog.get_logger()), structlog.get_logger(), "worker-1")
    told: list[str] = []

    async def fails() -> None:
        raise nats.errors.ConnectionClosedError

    async def listens() -> None:
        told.append("told")

    for callback in (fails, listens):
        bus.on_disconnect(callback)
        bus.on_reconnect(callback)
    await bus.disconnected()
    await bus.reconnected()
    assert told == ["told", "told"]
