"""Reads a call's messages from the stream in stored order, woken by the live subject; leaves nothing on the server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from voxbus_cli.errors import NotReachable
from voxbus_cli.follow.lines import SeenMessage, read_message
from voxbus_contracts.events import CallEnded
from voxbus_contracts.streams import EVENTS
from voxbus_contracts.subjects import followed_by_call, parse
from voxbus_runtime.errors import NotStored
from voxbus_runtime.stream_reader import StoredMessage, read

_LOOK_EVERY_S: Final = 1.0
"""A doorbell can be lost with a connection; then this finds the message."""
_AFTERMATH_S: Final = 2.0
"""What the stages still say once a call has ended (costs, releases) comes within this silence."""


class CallReader:
    """Gives every message of one call once; asks for the commands as soon as an event has named the organisation."""

    def __init__(self, nc: Client, call: str, with_commands: bool) -> None:
        self._nc = nc
        self._with_commands = with_commands
        self._next_seq = {followed_by_call(call): 1}
        self._bell = asyncio.Event()
        self._has_read = False

    async def open(self) -> None:
        """Listens for new messages; call it first."""
        for subject in self._next_seq:
            await self._nc.subscribe(subject, cb=self._ring)

    async def new_messages(self) -> list[SeenMessage]:
        """What was stored since the last call, in stream order. Raises NotReachable when the stream is not there."""
        found = await self._stored()
        if self._with_commands and len(self._next_seq) == 1 and found:
            commands = parse(found[0].subject).ref.all_commands
            self._next_seq[commands] = 1
            await self._nc.subscribe(commands, cb=self._ring)
            found += await self._stored()
        found.sort(key=lambda message: message.seq)
        seen = (read_message(message.subject, message.headers, message.data) for message in found)
        return [message for message in seen if message is not None]

    async def wait(self, at_most_s: float) -> None:
        """Returns as soon as there may be something new."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()

    async def _stored(self) -> list[StoredMessage]:
        found: list[StoredMessage] = []
        try:
            for subject in self._next_seq:
                async for message in read(self._nc, EVENTS.name, subject, from_seq=self._next_seq[subject]):
                    found.append(message)
                    self._next_seq[subject] = message.seq + 1
            self._has_read = True
        except NotStored as wrong:
            # The server may be restarting: what it stored comes with the next look.
            if not self._has_read:
                raise NotReachable(f"this NATS server keeps no {EVENTS.name}, no stack runs on it ({wrong})") from wrong
        return found

    async def _ring(self, _: Msg) -> None:
        self._bell.set()


async def follow(reader: CallReader, keep: bool) -> AsyncIterator[list[SeenMessage]]:
    """A call's messages in portions, the first perhaps empty; ends a moment after call.ended unless told to keep on."""
    await reader.open()
    portion = await reader.new_messages()
    yield portion
    has_ended = _has_end(portion)
    while True:
        await reader.wait(_AFTERMATH_S if has_ended else _LOOK_EVERY_S)
        portion = await reader.new_messages()
        if portion:
            yield portion
            has_ended = has_ended or _has_end(portion)
        elif has_ended and not keep:
            return


def _has_end(portion: list[SeenMessage]) -> bool:
    return any(message.kind == CallEnded.kind and message.name == CallEnded.name() for message in portion)
