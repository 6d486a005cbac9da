"""Receipts of what must not be done twice and whose receiver has no idempotency key."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable

from voxbus_bus import FactPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.events import ToolAttempted

FirstAttempt = Callable[[CallRef, str], Awaitable[str]]
"""The worker of the first `tool.attempted` of a tool call that is stored; empty = there is none."""


class Receipts:
    """At most once: the receipt is stored before the deed, and only whose receipt is the first does it.

    A worker that dies between both has not done it, and nobody ever will; one that dies after it may or may not have
    brought it about. Both are told as unknown to whoever comes next.
    """

    def __init__(self, publisher: FactPublisher, first: FirstAttempt, worker: str) -> None:
        self._publisher = publisher
        self._first = first
        self._worker = f"{worker}.{secrets.token_hex(4)}"
        """Of this start alone: a worker that is started again may have the name of the one that died."""
        self._mine: set[str] = set()

    async def may_do(self, ref: CallRef, tool_call_id: str, tool_name: str) -> bool:
        """True once in the life of a tool call. Raises NotStored: then nothing may be done either."""
        key = f"{ref.call}.{tool_call_id}"
        if key in self._mine:
            return False
        attempted = ToolAttempted(tool_call_id=tool_call_id, tool_name=tool_name, worker=self._worker)
        await self._publisher.publish_stored(ref, attempted, event_id=f"tool-attempted.{key}")
        if await self._first_stored(ref, tool_call_id) != self._worker:
            return False
        self._mine.add(key)
        asyncio.get_running_loop().call_later(_REMEMBERED_S, self._mine.discard, key)
        return True

    async def _first_stored(self, ref: CallRef, tool_call_id: str) -> str:
        """There is one by now; a replica of the stream may be a moment behind the one that stored it."""
        for _ in range(_LOOKS):
            if found := await self._first(ref, tool_call_id):
                return found
            await asyncio.sleep(_LOOK_AGAIN_S)
        return ""


_LOOKS = 20
_LOOK_AGAIN_S = 0.05
_REMEMBERED_S = 86_400.0
"""As long as the stream keeps a command that could come again."""


def worker_of(payload: bytes, tool_call_id: str) -> str:
    """The worker of a stored `tool.attempted` of that tool call, else empty."""
    found = json.loads(payload)
    return str(found.get("worker", "")) if found.get("tool_call_id") == tool_call_id else ""
