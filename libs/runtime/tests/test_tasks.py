"""A task is ended for sure, also one that swallowed its cancellation."""

import asyncio
from contextlib import suppress

from voxbus_runtime.tasks import end


async def test_a_loop_that_swallows_its_cancellation_is_cancelled_again() -> None:
    swallowed: list[str] = []

    async def loops() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed.append("once")

    task = asyncio.create_task(loops())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(task)
    assert (task.cancelled(), swallowed) == (True, ["once"])


async def test_what_each_task_returned_or_raised_is_told() -> None:
    async def fails() -> None:
        raise ValueError("no")

    async def returns() -> int:
        return 3

    tasks = [asyncio.create_task(fails()), asyncio.create_task(returns())]
    await asyncio.wait(tasks)
    failed, returned = await end(*tasks)
    assert (type(failed), returned) == (ValueError, 3)


async def test_being_cancelled_while_ending_is_not_swallowed() -> None:
    held = asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await held.wait()

    task = asyncio.create_task(slow_to_end())
    await asyncio.sleep(0)
    ending = asyncio.create_task(end(task))
    await asyncio.sleep(0)
    ending.cancel()
    with suppress(asyncio.CancelledError):
        await ending
    assert ending.cancelled()
    held.set()
    await asyncio.wait({task})
