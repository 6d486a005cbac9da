"""Events on their way into the stream: published at once, kept until stored, retried with the same id.

Live readers get the first publication; the stream drops doubles by `Nats-Msg-Id`. Nobody waits for the
acknowledgement unless asked to (`stored`), so a stream without a leader never stops a conversation.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from voxbus_runtime.errors import NotStored
from voxbus_runtime.live import LiveClient

RETRY_AFTER_S: Final = 2.0
"""A 3-node cluster took 7.3 s to elect a stream leader (measured November 2026); retries bridge that."""

_TICK_S: Final = 0.25
_REFUSED_FIRST_S: Final = 0.25
"""A stream without a leader says so at once; then it is asked again soon, and more and more rarely up to RETRY_AFTER_S:
a tool that waits for its order to be stored starts as soon as there is a leader."""


@dataclass(slots=True)
class _Pending:
    subject: str
    payload: bytes
    headers: dict[str, str]
    tried_at_s: float = 0.0
    refusals: int = 0
    stored: asyncio.Future[int] | None = field(default=None)


class Outbox:
    """All unacknowledged events of one process, in order."""

    def __init__(self, nc: LiveClient) -> None:
        self._nc = nc
        self._pending: dict[int, _Pending] = {}
        self._count = 0
        self._inbox = nc.new_inbox()
        self.retried = 0

    async def start(self) -> None:
        await self._nc.subscribe_live(f"{self._inbox}.*", self._on_ack)

    @property
    def waiting(self) -> int:
        return len(self._pending)

    def publish(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        """Sends now (or when the bus is back) and keeps until stored."""
        self._put(_Pending(subject, payload, dict(headers)))

    async def stored(self, subject: str, payload: bytes, headers: Mapping[str, str], timeout_s: float = 15.0) -> int:
        """Like `publish`, and waits: the stream's sequence number. Raises NotStored; the retries go on."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._put(_Pending(subject, payload, dict(headers), stored=future))
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout_s)
        except TimeoutError:
            raise NotStored(f"no acknowledgement for {subject} within {timeout_s} s") from None

    async def flush(self, timeout_s: float) -> int:
        """Waits until everything is stored; returns how many are not after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self._pending and time.monotonic() < deadline:  # noqa: ASYNC110 - rare, and an event would cost each ack
            await asyncio.sleep(0.01)
        return len(self._pending)

    async def run(self) -> None:
        """Retries for ever; owned by the process."""
        while True:
            await asyncio.sleep(_TICK_S)
            if self._nc.is_connected:
                self._retry(time.monotonic() - RETRY_AFTER_S)

    def resend_all(self) -> None:
        """After a reconnect: what was under way may have been lost."""
        self._retry(time.monotonic())

    def _put(self, pending: _Pending) -> None:
        self._count += 1
        self._pending[self._count] = pending
        self._send(self._count, pending)

    def _send(self, token: int, pending: _Pending) -> None:
        pending.tried_at_s = time.monotonic()
        self._nc.publish_event(pending.subject, f"{self._inbox}.{token}", pending.headers, pending.payload)

    def _retry(self, tried_before_s: float) -> None:
        for token, pending in list(self._pending.items()):
            if pending.tried_at_s <= tried_before_s and token in self._pending:
                self.retried += 1
                self._send(token, pending)

    def _on_ack(self, subject: str, _headers: dict[str, str] | None, payload: bytes) -> None:
        token = int(subject.rpartition(".")[2])
        sequence = _stored_at(payload)
        if not sequence:
            self._on_refusal(token)
            return
        pending = self._pending.pop(token, None)
        if pending and pending.stored and not pending.stored.done():
            pending.stored.set_result(sequence)

    def _on_refusal(self, token: int) -> None:
        """No responders, or an error of the API: the retry asks again, the first ones earlier than after silence."""
        pending = self._pending.get(token)
        if pending is not None:
            wait_s = min(RETRY_AFTER_S, _REFUSED_FIRST_S * 2**pending.refusals)
            pending.refusals += 1
            pending.tried_at_s = time.monotonic() - RETRY_AFTER_S + wait_s


def _stored_at(acknowledgement: bytes) -> int:
    """The sequence number in the stream; 0 = it is not stored.

    A refusal may have a sequence, too: while a leader that lost its followers still holds an event that it could not
    store, it answers each retry with error 10158, "duplicate message id is in process", and `seq` 0.
    """
    try:
        told = json.loads(acknowledgement)
        return 0 if "error" in told else int(told["seq"])
    except (ValueError, KeyError, TypeError):
        return 0
