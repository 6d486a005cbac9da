"""Messages of a durable consumer, each handed over the moment it comes: for what a conversation waits for.

A client's `fetch` gathers, and what is built on it takes a message through three queues and as many tasks. Here one
pull stays open, and each message goes from the connection to a task of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from voxbus_bus.pulls import Pulls
from voxbus_contracts.streams import ConsumerSpec

MessageHandler = Callable[[Msg], Awaitable[None]]

_PULLED: Final = 64
_OPEN_S: Final = 1.0
"""How long a pull waits at the server. One that died with its server is missed for as long, and a bit."""
_HANDLED_WITHIN_S: Final = 10.0


class PromptReader:
    """One durable consumer; up to `at_a_time` messages are handled at a time, in any order."""

    def __init__(self, spec: ConsumerSpec, client: Callable[[], Client], handle: MessageHandler, at_a_time: int):
        """`handle` acknowledges what it was given and raises nothing."""
        self._name = f"read-{spec.durable}"
        self._pulls = Pulls(spec, client, self._take)
        self._handle = handle
        self._at_a_time = at_a_time
        self._running: set[asyncio.Task[Any]] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to read. Raises nats' errors when the server cannot be reached."""
        await self._pulls.open()
        self._task = asyncio.create_task(self._read(), name=self._name)

    async def stop(self) -> None:
        """Asks for nothing more and waits for what is being handled; what takes over 10 s is left to come again."""
        await self._pulls.close()
        if self._task is not None:
            await self._task
            self._task = None
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=_HANDLED_WITHIN_S)
            for task in left:
                task.cancel()

    def _take(self, message: Msg) -> None:
        task = asyncio.create_task(self._handled(message))
        self._running.add(task)
        task.add_done_callback(self._done)

    async def _handled(self, message: Msg) -> None:
        await self._handle(message)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._pulls.changed.set()

    async def _read(self) -> None:
        pulls = self._pulls
        while not pulls.stopping.is_set():
            free = self._at_a_time - len(self._running)
            if free > 0:
                await pulls.pull(min(_PULLED, free), _OPEN_S)
            else:
                pulls.changed.clear()
                await pulls.changed.wait()
