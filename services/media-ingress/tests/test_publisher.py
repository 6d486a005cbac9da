"""What an attachment says, and what follows from it."""

import asyncio
from typing import Any, cast

import pytest

from voxbus_contracts.commands import ControlCall
from voxbus_contracts.events import CallRinging
from voxbus_media_ingress.publisher import Publisher
from voxbus_runtime.errors import OwnershipLost
from voxbus_runtime.owned_call import OwnedCall


class Log:
    """What the bus was given; a newer attachment has the call once `is_lost`."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.is_lost = False

    async def publish(self, message: Any) -> None:
        if self.is_lost:
            raise OwnershipLost("it belongs to a newer one")
        self.said.append(message.name())


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
