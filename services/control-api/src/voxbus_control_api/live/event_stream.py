"""Server-sent events of a call, or of an organisation, for one client, from where it was when it lost the line."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from voxbus_contracts import CallRef
from voxbus_contracts.subjects import events_of
from voxbus_control_api.live.events import LiveEvents
from voxbus_control_api.live.lines import DELETED, ENDED, HELLO, KEEP_ALIVE, LAST, Line, Wanted, lost_line
from voxbus_control_api.live.topic import Listener

KEEP_ALIVE_S: Final = 15.0
_AFTERMATH_MS: Final = 40_000
"""Costs, the recording, the archive and what a slow model makes of the call come within this silence after its end."""


@dataclass(frozen=True, slots=True)
class Client:
    """What one client asked for. `after_seq` None = it begins anew.

    `is_welcome`: whether its key still opens this; asked now and then. `now_ms` since the epoch.
    """

    wanted: Wanted
    after_seq: int | None
    is_welcome: Callable[[], Awaitable[bool]]
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Told:
    """The texts to send; `close` afterwards, whether they were read or not."""

    texts: AsyncGenerator[str]
    close: Callable[[], Awaitable[None]]


class _Ending:
    """When all of a call has been told."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._quiet_from_ms: int | None = None
        self._missing = set(LAST)

    def see(self, line: Line) -> None:
        if line.name == ENDED or self._quiet_from_ms is not None:
            self._quiet_from_ms = line.envelope.occurred_at_ms
        self._missing.discard(line.name)
        if line.name == DELETED:
            self._missing.clear()

    def see_all(self, lines: list[Line]) -> None:
        for line in lines:
            self.see(line)

    @property
    def left_s(self) -> float:
        """Until it is over, s; endless while the call goes on."""
        if not self._missing:
            return 0.0
        if self._quiet_from_ms is None:
            return float("inf")
        return max(0.0, (self._quiet_from_ms + _AFTERMATH_MS - self._now_ms()) / 1_000)


async def call_events(events: LiveEvents, ref: CallRef, client: Client, *, wordless: bool) -> Told | None:
    """All of the call's events after `after_seq`, then those that come, until it is over.

    None = it is over and the client has had everything. `wordless`: nothing that is personal. Raises Unavailable.
    """
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(events.listening(ref.all_events))
        past = await events.past_of(ref, listener.starts_at, wordless=wordless)
        ending, after = _Ending(client.now_ms), client.after_seq or 0
        ending.see_all(past)
        left = [line.text for line in past if line.seq > after and client.wanted.has(line.name)]
        if not left and not ending.left_s and client.after_seq is not None:
            return None
        return Told(_told("".join(left), listener, client, ending), stack.pop_all().aclose)


async def org_events(events: LiveEvents, org: str, client: Client) -> Told:
    """What happens in the organisation, from now or from after `after_seq` on. Raises Unavailable."""
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(events.listening(events_of(org)))
        first_seq = 0 if client.after_seq is None else await events.first_seq()
        return Told(_told_with_past(events, org, listener, client, first_seq), stack.pop_all().aclose)


async def _told_with_past(
    events: LiveEvents, org: str, listener: Listener, client: Client, first_seq: int
) -> AsyncGenerator[str]:
    if client.after_seq is not None:
        if client.after_seq + 1 < first_seq:
            yield lost_line(first_seq)
        async for line in events.past(events_of(org), client.after_seq, listener.starts_at):
            if client.wanted.has(line.name):
                yield line.text
    async for text in _told("", listener, client, None):
        yield text


async def _told(past: str, listener: Listener, client: Client, ending: _Ending | None) -> AsyncGenerator[str]:
    yield HELLO + past
    asked_at_ms = client.now_ms()
    while not listener.is_over and (ending is None or ending.left_s):
        lines = await listener.next(KEEP_ALIVE_S if ending is None else min(KEEP_ALIVE_S, ending.left_s))
        if ending is not None:
            ending.see_all(lines)
        text = "".join(line.text for line in lines if client.wanted.has(line.name))
        if text or not lines:
            yield text or KEEP_ALIVE
        if client.now_ms() - asked_at_ms >= KEEP_ALIVE_S * 1_000:
            asked_at_ms = client.now_ms()
            if not await client.is_welcome():
                return
