"""Ending tasks for sure."""

import asyncio
from typing import Any, Final

_AGAIN_S: Final = 0.25


async def end(*tasks: asyncio.Future[Any]) -> list[Any]:
    """Cancels tasks until each is over; gives what each returned or raised, cancellation included.

    Once is not enough: `asyncio.wait_for` before Python 3.12, which the bus client waits with, swallows a cancellation
    that comes in the same turn of the loop as what it waits for (https://github.com/python/cpython/issues/86296). A
    task that loops for ever would then go on, and whoever awaits its end with it.
    """
    for task in tasks:
        task.cancel()
    running = [task for task in tasks if not task.done()]
    while running:
        _, pending = await asyncio.wait(running, timeout=_AGAIN_S)
        running = list(pending)
        for task in running:
            task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)
