"""Puts the messages of a call into order: each producer's by number, none twice, none of an old epoch. Pure.

Order between producers is that of arrival; cores must not depend on it. Order within one producer is exact: a message
that comes before its predecessor waits for it (retries and reconnects reorder), and `waiting` tells the shell to fetch
what is missing from the stream.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from voxbus_contracts import Envelope
from voxbus_contracts.message import Message
from voxbus_runtime.fence import Fence


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """An event or command of a call. `stream_seq` is its place in EVENTS, 0 when it came live."""

    envelope: Envelope
    kind: Literal["event", "command"]
    name: str
    payload: bytes
    message: Message | None = None
    stream_seq: int = 0


class Sequencer:
    """One reader's view of one call."""

    __slots__ = ("_held", "_next", "_seen", "fence")

    def __init__(self, fence: Fence) -> None:
        self.fence = fence
        self._next: dict[tuple[str, int], int] = {}
        self._held: dict[tuple[str, int], dict[int, LoggedMessage]] = {}
        self._seen: set[str] = set()

    def push(self, message: LoggedMessage) -> list[LoggedMessage]:
        """What may be handled now, in order; empty for doubles, old epochs and messages that must wait."""
        envelope = message.envelope
        if envelope.number == 0:
            return self._unnumbered(message)
        producer = (envelope.stage, envelope.epoch)
        if not self.fence.accepts(*producer):
            self._held.pop(producer, None)
            return []
        expected = self._next.get(producer, 1)
        if envelope.number < expected:
            return []
        held = self._held.setdefault(producer, {})
        held.setdefault(envelope.number, message)
        return self._release(producer, expected)

    def push_all(self, messages: Iterable[LoggedMessage]) -> list[LoggedMessage]:
        return [ready for message in messages for ready in self.push(message)]

    @property
    def waiting(self) -> bool:
        """Some message waits for a predecessor."""
        return any(self._held.values())

    def give_up(self) -> list[LoggedMessage]:
        """The missing ones are lost for good (not in the stream either): goes on behind the holes."""
        ready: list[LoggedMessage] = []
        for producer, held in self._held.items():
            while held:
                ready += self._release(producer, min(held))
        return ready

    def _release(self, producer: tuple[str, int], expected: int) -> list[LoggedMessage]:
        held = self._held[producer]
        ready: list[LoggedMessage] = []
        while expected in held:
            ready.append(held.pop(expected))
            expected += 1
        self._next[producer] = expected
        return ready

    def _unnumbered(self, message: LoggedMessage) -> list[LoggedMessage]:
        event_id = message.envelope.event_id
        if event_id in self._seen:
            return []
        self._seen.add(event_id)
        return [message]
