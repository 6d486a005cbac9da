"""Batches of a durable consumer, read by pulls of our own.

Two pulls take turns: one waits for the first message of a batch, the other, when the batch's time is over, fetches
what has come since. A pull that stayed open would have the server send each message by itself and wake both ends.

A client's `fetch` gathers within one call and raises what the server says meanwhile: what it had gathered is then in
nobody's hands until the consumer's ack_wait is over. Here a message that arrived stays in the queue until a handler
had it, whatever becomes of the pull that brought it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from voxbus_bus.pulls import Pulls
from voxbus_contracts.streams import ConsumerSpec

MessagesHandler = Callable[[list[Msg]], Awaitable[None]]

PULLED: Final = 256
"""Most messages in one pull, and in one batch."""
_FIRST_S: Final = 5.0
"""How long the pull for a batch's first message waits at the server."""
_OTHERS_S: Final = 0.01
"""How long the one for the others does: they are there already."""
_HANDLED_WITHIN_S: Final = 10.0


class BatchReader:
    """One durable consumer, handed over in what came within `gather_s`, in stream order, one batch at a time."""

    def __init__(self, spec: ConsumerSpec, client: Callable[[], Client], handle: MessagesHandler, gather_s: float):
        """`handle` acknowledges what it was given and raises nothing."""
        self._name = f"read-{spec.durable}"
        self._waiting: deque[Msg] = deque()
        self._pulls = Pulls(spec, client, self._waiting.append)
        self._handle = handle
        self._gather_s = gather_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to read. Raises nats' errors when the server cannot be reached."""
        await self._pulls.open()
        self._task = asyncio.create_task(self._read(), name=self._name)

    async def stop(self) -> None:
        """Asks for nothing more and hands over what has arrived; what takes over 10 s is left to come again."""
        await self._pulls.close()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_HANDLED_WITHIN_S)
            self._task.cancel()
            self._task = None

    async def _read(self) -> None:
        pulls, waiting = self._pulls, self._waiting
        while not pulls.stopping.is_set() or waiting:
            if not waiting:
                await pulls.pull(1, _FIRST_S)
                continue
            if len(waiting) < PULLED and not pulls.stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(pulls.stopping.wait(), self._gather_s)
                await pulls.pull(PULLED - len(waiting), _OTHERS_S)
            count = min(PULLED, len(waiting))
            await self._handle([waiting.popleft() for _ in range(count)])
