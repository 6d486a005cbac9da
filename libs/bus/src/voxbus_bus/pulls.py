"""A durable consumer's messages, asked for by pulls of our own, one open at a time.

What the server says of a pull comes to the pull's own subject, messages come to their own.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from voxbus_contracts.streams import ConsumerSpec

_LOST_AFTER_S: Final = 0.5
"""A pull whose end was not told this long after it was due is lost, with its server or its connection."""
_REST_S: Final = 0.1
"""Between a refused pull and the next: a cluster that elects a leader refuses at once."""
_ENDED: Final = {"404", "408"}
"""No messages, request timeout: the ordinary ends of a pull."""
_HEARTBEAT: Final = "100"


class Pulls:
    """One consumer's. `take` gets each message as it arrives, whatever becomes of the pull that brought it."""

    def __init__(self, spec: ConsumerSpec, client: Callable[[], Client], take: Callable[[Msg], None]) -> None:
        self._spec = spec
        self._client = client
        self._take = take
        self._pulled = 0
        self._owed = 0
        self._rest = False
        self._subscription: Subscription | None = None
        self.stopping = asyncio.Event()
        self.changed = asyncio.Event()
        """A pull has ended, or `close` was called; a reader may set it, too, for what it waits for itself."""

    async def open(self) -> None:
        """Raises nats' errors when the server cannot be reached."""
        self.stopping.clear()
        self._owed = 0
        client = self._client()
        self._inbox = client.new_inbox()
        self._subscription = await client.subscribe(f"{self._inbox}.*", cb=self._arrived)

    async def close(self) -> None:
        """Nothing more is asked for, and nothing more arrives."""
        self.stopping.set()
        self.changed.set()
        if self._subscription is not None:
            with suppress(NatsError):
                await self._subscription.unsubscribe()
            self._subscription = None

    async def pull(self, batch: int, wait_s: float) -> None:
        """Asks for up to `batch` messages, for which the server waits `wait_s`.

        Returns when they are here, or the server says that there are no more.
        """
        if self.stopping.is_set():
            return
        if self._rest:
            self._rest = False
            await asyncio.sleep(_REST_S)
        self._pulled += 1
        self._owed = batch
        request = json.dumps({"batch": batch, "expires": int(wait_s * 1e9)}).encode()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._spec.stream}.{self._spec.durable}"
        due_s = asyncio.get_running_loop().time() + wait_s + _LOST_AFTER_S
        try:
            await self._client().publish(subject, request, reply=self._subject)
        except NatsError:
            self._owed = 0
            self._rest = True
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due_s):
                while self._owed > 0 and not self.stopping.is_set():
                    self.changed.clear()
                    await self.changed.wait()

    @property
    def _subject(self) -> str:
        return f"{self._inbox}.{self._pulled}"

    async def _arrived(self, message: Msg) -> None:
        if message.subject.startswith(self._inbox):
            self._told(message)
            return
        self._owed -= 1
        self._take(message)
        if self._owed <= 0:
            self.changed.set()

    def _told(self, message: Msg) -> None:
        """The server speaks of a pull: that it is over, mostly."""
        status = (message.headers or {}).get("Status", "")
        if status == _HEARTBEAT or message.subject != self._subject:
            return
        self._rest = self._owed > 0 and status not in _ENDED
        self._owed = 0
        self.changed.set()
