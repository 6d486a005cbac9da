"""Batches of a durable consumer, read by pulls of our own.

Two pulls take turns: one waits for the first message of a batch, the other, when the batch's time is over, fetches
what has come since. A pull that stayed open would have the server send each message by itself and wake both ends.

A client's `fetch` gathers within one call and raises what the server says meanwhile: what it had gathered is then in
nobody's hands until the consumer's ack_wait is over. Here a message that arrived stays in the queue until a handler
had it, whatever becomes of the pull that brought it.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from voxbus_contracts.streams import ConsumerSpec

MessagesHandler = Callable[[list[Msg]], Awaitable[None]]

PULLED: Final = 256
"""Most messages in one pull, and in one batch."""
_FIRST_S: Final = 5.0
"""How long the pull for a batch's first message waits at the server."""
_OTHERS_S: Final = 0.01
"""How long the one for the others does: they are there already."""
_LOST_AFTER_S: Final = 0.5
"""A pull whose end was not told this long after it was due is lost, with its server or its connection."""
_REST_S: Final = 0.1
"""Between a refused pull and the next: a cluster that elects a leader refuses at once."""
_HANDLED_WITHIN_S: Final = 10.0
_ENDED: Final = {"404", "408"}
"""No messages, request timeout: the ordinary ends of a pull."""
_HEARTBEAT: Final = "100"


class BatchReader:
    """One durable consumer, handed over in what came within `gather_s`, in stream order, one batch at a time."""

    def __init__(self, spec: ConsumerSpec, client: Callable[[], Client], handle: MessagesHandler, gather_s: float):
        """`handle` acknowledges what it was given and raises nothing."""
        self._spec = spec
        self._client = client
        self._handle = handle
        self._gather_s = gather_s
        self._waiting: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._stopping = asyncio.Event()
        self._pulled = 0
        self._owed = 0
        self._rest = False
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to read. Raises nats' errors when the server cannot be reached."""
        self._stopping.clear()
        self._owed = 0
        client = self._client()
        self._inbox = client.new_inbox()
        self._subscription = await client.subscribe(f"{self._inbox}.*", cb=self._take)
        self._task = asyncio.create_task(self._read(), name=f"read-{self._spec.durable}")

    async def stop(self) -> None:
        """Asks for nothing more and hands over what has arrived; what takes over 10 s is left to come again."""
        self._stopping.set()
        self._arrived.set()
        if self._subscription is not None:
            with suppress(NatsError):
                await self._subscription.unsubscribe()
            self._subscription = None
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_HANDLED_WITHIN_S)
            self._task.cancel()
            self._task = None

    async def _take(self, message: Msg) -> None:
        if message.subject.startswith(self._inbox):
            self._told(message)
        else:
            self._waiting.append(message)
            self._owed -= 1
        self._arrived.set()

    def _told(self, message: Msg) -> None:
        """The server speaks of a pull: that it is over, mostly."""
        status = (message.headers or {}).get("Status", "")
        if status == _HEARTBEAT or message.subject != self._pull_subject:
            return
        self._owed = 0
        self._rest = status not in _ENDED

    async def _read(self) -> None:
        while not self._stopping.is_set() or self._waiting:
            if not self._waiting:
                await self._pull(1, _FIRST_S)
                continue
            if len(self._waiting) < PULLED and not self._stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._gather_s)
                await self._pull(PULLED - len(self._waiting), _OTHERS_S)
            count = min(PULLED, len(self._waiting))
            await self._handle([self._waiting.popleft() for _ in range(count)])

    async def _pull(self, batch: int, wait_s: float) -> None:
        """Asks for up to `batch` messages; returns when they are here, or the server says that there are no more."""
        if self._stopping.is_set():
            return
        if self._rest:
            self._rest = False
            await asyncio.sleep(_REST_S)
        self._pulled += 1
        self._owed = batch
        request = json.dumps({"batch": batch, "expires": int(wait_s * 1e9)}).encode()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._spec.stream}.{self._spec.durable}"
        due = asyncio.get_running_loop().time() + wait_s + _LOST_AFTER_S
        try:
            await self._client().publish(subject, request, reply=self._pull_subject)
        except NatsError:
            self._owed = 0
            self._rest = True
        while self._owed > 0 and not self._stopping.is_set():
            if not await self._something(due):
                return

    @property
    def _pull_subject(self) -> str:
        return f"{self._inbox}.{self._pulled}"

    async def _something(self, due: float) -> bool:
        """Waits until something arrived; False = nothing did, and the pull must be lost."""
        self._arrived.clear()
        left_s = max(0.0, due - asyncio.get_running_loop().time())
        try:
            await asyncio.wait_for(self._arrived.wait(), left_s)
        except TimeoutError:
            return False
        return True
