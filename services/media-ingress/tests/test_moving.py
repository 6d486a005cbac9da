"""Callers are moved one by one: the next when the one before has another server, and none waits for ever."""

import asyncio
import time
from dataclasses import dataclass, field

from voxbus_media_ingress.ending import MOVED, Ending
from voxbus_media_ingress.moving import move


@dataclass
class Call:
    fenced: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Attached:
    """A transport as far as moving is concerned."""

    can_come_back: bool = True
    call: Call = field(default_factory=Call)
    endings: list[Ending] = field(default_factory=list[Ending])

    def end(self, ending: Ending) -> None:
        self.endings.append(ending)


async def test_the_next_is_moved_when_the_one_before_is_elsewhere() -> None:
    first, second = Attached(), Attached()
    moving = asyncio.create_task(move([first, second]))
    await asyncio.sleep(0.05)
    assert (first.endings, second.endings) == ([MOVED], [])
    first.call.fenced.set()
    second.call.fenced.set()
    await moving
    assert second.endings == [MOVED]


async def test_who_does_not_come_back_holds_nobody_up_for_long() -> None:
    gone, after = Attached(), Attached()
    after.call.fenced.set()
    began_s = time.monotonic()
    await move([gone, after])
    assert after.endings == [MOVED]
    assert time.monotonic() - began_s < 2


async def test_where_nobody_follows_the_callers_are_let_go_at_once() -> None:
    """Each would be waited for in vain, and this worker be in the way of its own successor for as long."""
    callers = [Attached() for _ in range(40)]
    began_s = time.monotonic()
    await move(callers)
    assert all(caller.endings == [MOVED] for caller in callers)
    assert time.monotonic() - began_s < 2


async def test_two_who_stay_away_one_by_one_end_the_waiting_for_nobody_else() -> None:
    there = [Attached() for _ in range(3)]
    for each in there:
        each.call.fenced.set()
    last = Attached()
    moving = asyncio.create_task(move([Attached(), there[0], Attached(), there[1], last, there[2]]))
    while not last.endings:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert there[2].endings == []
    await moving
    assert there[2].endings == [MOVED]


async def test_a_line_that_cannot_come_back_is_left_alone() -> None:
    staying = Attached(can_come_back=False)
    await move([staying])
    assert staying.endings == []
