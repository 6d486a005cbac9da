"""What ended calls leave behind is collected when no call is there that could be held up, or there is much of it."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from voxbus_runtime.service import tidy
from voxbus_runtime.tasks import end
from voxbus_testing.nats import eventually


class Holding:
    """A component with these calls."""

    slots = 10

    def __init__(self, *calls: str) -> None:
        self.held = list(calls)

    async def start(self) -> None: ...

    async def drain(self) -> int:
        return 0

    async def close(self) -> None: ...

    def calls(self) -> list[str]:
        return self.held


class Left:
    """Refers to itself, as what a call was made of does."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def by_hand() -> Iterator[None]:
    """Nothing else collects meanwhile."""
    gc.disable()
    yield
    gc.enable()


async def test_it_waits_for_the_last_call_and_then_collects_once() -> None:
    component = Holding("a", "b")
    tidying = asyncio.create_task(tidy(component, every_s=0.01))
    first = weakref.ref(Left())
    component.held.remove("a")
    await asyncio.sleep(0.05)
    assert first() is not None
    component.held.remove("b")
    await eventually(lambda: first() is None, 5, "what was left is collected")
    second = weakref.ref(Left())
    await asyncio.sleep(0.05)
    assert second() is not None  # nobody called meanwhile
    await end(tidying)


async def test_where_calls_never_stop_it_collects_when_twenty_have_ended() -> None:
    component = Holding(*map(str, range(30)), "goes on")
    tidying = asyncio.create_task(tidy(component, every_s=0.01))
    left = weakref.ref(Left())
    await asyncio.sleep(0.05)
    for _ in range(12):
        component.held.pop(0)
    await asyncio.sleep(0.05)
    assert left() is not None
    for _ in range(12):
        component.held.pop(0)
    await eventually(lambda: left() is None, 5, "what was left is collected")
    assert component.held
    await end(tidying)
