"""Messages of a durable consumer, each handed over the moment it comes: for what a conversation waits for.

A client's `fetch` gathers, and what is built on it takes a message through three queues and as many tasks. Here one
pull stays open, and each message goes from the connection to a task of its own.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from voxbus_contracts.streams import ConsumerSpec

MessageHandler = Callable[[Msg], Awaitable[None]]

_PULLED: Final = 64
_OPEN_S: Final = 1.0
"""How long a pull waits at the server. One that died with its server is missed for as long, and a bit."""
_LOST_AFTER_S: Final = 0.5
_REST_S: Final = 0.1
"""Between a refused pull and the next: a cluster that elects a leader refuses at once."""
_HANDLED_WITHIN_S: Final = 10.0
_ENDED: Final = {"404", "408"}
"""No messages, request timeout: the ordinary ends of a pull."""
_HEARTBEAT: Final = "100"


class PromptReader:
    """One durable consumer; up to `at_a_time` messages are handled at a time, in any order."""

    def __init__(self, spec: ConsumerSpec, client: Callable[[], Client], handle: MessageHandler, at_a_time: int):
        """`handle` acknowledges what it was given and raises nothing."""
        self._spec = spec
        self._client = client
        self._handle = handle
        self._at_a_time = at_a_time
        self._running: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        self._stopping = False
        self._pulled = 0
        self._owed = 0
        self._rest = False
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to read. Raises nats' errors when the server cannot be reached."""
        self._stopping = False
        self._owed = 0
        client = self._client()
        self._inbox = client.new_inbox()
        self._subscription = await client.subscribe(f"{self._inbox}.*", cb=self._take)
        self._task = asyncio.create_task(self._read(), name=f"read-{self._spec.durable}")

    async def stop(self) -> None:
        """Asks for nothing more and waits for what is being handled; what takes over 10 s is left to come again."""
        self._stopping = True
        self._changed.set()
        if self._subscription is not None:
            with suppress(NatsError):
                await self._subscription.unsubscribe()
            self._subscription = None
        if self._task is not None:
            await self._task
            self._task = None
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=_HANDLED_WITHIN_S)
            for task in left:
                task.cancel()

    async def _take(self, message: Msg) -> None:
        if message.subject.startswith(self._inbox):
            self._told(message)
            return
        self._owed -= 1
        task = asyncio.create_task(self._handled(message))
        self._running.add(task)
        task.add_done_callback(self._done)
        if self._owed <= 0:
            self._changed.set()

    async def _handled(self, message: Msg) -> None:
        await self._handle(message)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._changed.set()

    def _told(self, message: Msg) -> None:
        """The server speaks of a pull: that it is over, mostly."""
        status = (message.headers or {}).get("Status", "")
        if status == _HEARTBEAT or message.subject != self._pull_subject:
            return
        self._rest = self._owed > 0 and status not in _ENDED
        self._owed = 0
        self._changed.set()

    async def _read(self) -> None:
        while not self._stopping:
            free = self._at_a_time - len(self._running)
            if free > 0:
                await self._pull(min(_PULLED, free))
            else:
                self._changed.clear()
                await self._changed.wait()

    async def _pull(self, batch: int) -> None:
        """Returns when its messages are here, or the server says that it is over."""
        if self._rest:
            self._rest = False
            await asyncio.sleep(_REST_S)
        self._pulled += 1
        self._owed = batch
        request = json.dumps({"batch": batch, "expires": int(_OPEN_S * 1e9)}).encode()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._spec.stream}.{self._spec.durable}"
        due_s = asyncio.get_running_loop().time() + _OPEN_S + _LOST_AFTER_S
        try:
            await self._client().publish(subject, request, reply=self._pull_subject)
        except NatsError:
            self._owed = 0
            self._rest = True
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due_s):
                while self._owed > 0 and not self._stopping:
                    self._changed.clear()
                    await self._changed.wait()

    @property
    def _pull_subject(self) -> str:
        return f"{self._inbox}.{self._pulled}"
