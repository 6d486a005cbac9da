"""What ended calls leave behind is collected when no call is there that could be held up."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from voxbus_runtime.service import tidy_when_idle
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
    tidying = asyncio.create_task(tidy_when_idle(component, every_s=0.01))
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
