"""Events of one subject for everybody who listens to it: read once, in stream order, woken by the live subject.

What comes live has no place in the stream yet, so it only rings: the stream itself is then read. However many
listen, there is one subscription, one reader, and nothing at all while nothing happens.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

import nats.errors

from voxbus_contracts import CallRef, decode
from voxbus_contracts.envelope import EVENT_ID
from voxbus_contracts.events import StageClaimed
from voxbus_contracts.streams import EVENTS
from voxbus_control_api.live.lines import Current, Line, line_of
from voxbus_runtime.bus import Bus
from voxbus_runtime.errors import NotStored
from voxbus_runtime.live import LiveSubscription
from voxbus_runtime.stream_reader import read
from voxbus_runtime.tasks import end

MOST_WAITING: Final = 5_000
"""Lines for one client that does not read; beyond them it has to come again, and misses nothing."""

_GATHER_S: Final = 0.1
"""What happens together is read together."""
_LOOK_AGAIN_S: Final = (0.1, 0.2, 0.5, 1.0, 3.0)
"""What has rung is in the stream a moment later; an id that is not by then was known already."""
_AWAY_S: Final = 0.5


class Listener:
    """What one client has not been sent yet. Lines from `starts_at` on come here, older ones it reads for itself."""

    def __init__(self, starts_at: int) -> None:
        self.starts_at = starts_at
        self.is_over = False
        """No more comes: the process stops, or the client is too slow."""
        self._lines: deque[Line] = deque()
        self._wake = asyncio.Event()

    def give(self, lines: list[Line]) -> None:
        self._lines.extend(lines)
        if len(self._lines) > MOST_WAITING:
            self._lines.clear()
            self.is_over = True
        self._wake.set()

    def end(self) -> None:
        self.is_over = True
        self._wake.set()

    async def next(self, at_most_s: float) -> list[Line]:
        """What is there, or comes within that time; empty when nothing does, or it is over."""
        if not self._lines and not self.is_over:
            self._wake.clear()
            try:
                async with asyncio.timeout(max(0.0, at_most_s)):
                    await self._wake.wait()
            except TimeoutError:
                return []
        lines = list(self._lines)
        self._lines.clear()
        return lines


class Topic:
    """Made by `LiveEvents`; `open` before anybody joins."""

    def __init__(self, bus: Bus, subject: str) -> None:
        self._bus = bus
        self._subject = subject
        self._listeners: set[Listener] = set()
        self._next_seq = 1
        self._current = Current()
        self._rung: set[str] = set()
        self._bell = asyncio.Event()
        self._subscription: LiveSubscription | None = None
        self._reader: asyncio.Task[None] | None = None
        self._stop_listening: Callable[[], None] = lambda: None

    @property
    def is_idle(self) -> bool:
        return not self._listeners

    async def open(self) -> None:
        """From here on nothing is missed. Raises what the bus raises when it is away."""
        self._subscription = await self._bus.nc.subscribe_live(self._subject, self._ring)
        try:
            await self._bus.nc.flush(timeout=5)
            state = (await self._bus.js.stream_info(EVENTS.name)).state
        except BaseException:
            await self._subscription.unsubscribe()
            raise
        self._next_seq = state.last_seq + 1
        self._stop_listening = self._bus.on_reconnect(self._look_again)
        await self._look_again()  # what was on its way into the stream has not rung
        self._reader = asyncio.get_running_loop().create_task(self._read_for_ever())

    async def close(self) -> None:
        self._stop_listening()
        for listener in self._listeners:
            listener.end()
        if self._reader is not None:
            await end(self._reader)
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._subscription.unsubscribe()

    def join(self) -> Listener:
        listener = Listener(self._next_seq)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def _ring(self, _subject: str, headers: dict[str, str] | None, _payload: bytes) -> None:
        self._rung.add((headers or {}).get(EVENT_ID, ""))
        self._bell.set()

    async def _look_again(self) -> None:
        """Whatever was said meanwhile did not ring."""
        self._rung.add("")
        self._bell.set()

    async def _read_for_ever(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            for pause_s in (_GATHER_S, *_LOOK_AGAIN_S):
                await asyncio.sleep(pause_s)
                try:
                    await self._read_on()
                except (NotStored, nats.errors.Error):
                    await asyncio.sleep(_AWAY_S)
                    self._bell.set()
                if not self._rung or self._bell.is_set():
                    break
            else:
                self._rung.clear()

    async def _read_on(self) -> None:
        lines: list[Line] = []
        async for stored in read(self._bus.nc, EVENTS.name, self._subject, from_seq=self._next_seq):
            self._next_seq = stored.seq + 1
            self._rung.discard(stored.headers.get(EVENT_ID, ""))
            line = line_of(stored.subject, stored.headers, stored.data, stored.seq)
            if line is not None and await self._counts(line):
                lines.append(line)
        if lines:
            for listener in list(self._listeners):
                listener.give([line for line in lines if line.seq >= listener.starts_at])

    async def _counts(self, line: Line) -> bool:
        await learn_epochs(self._bus, self._current, line)
        return self._current.counts(line)


async def learn_epochs(bus: Bus, current: Current, line: Line) -> None:
    """Who owned the stages of a call that is met in its middle. Raises NotStored."""
    if current.knows(line.ref) or not line.envelope.number:
        return
    current.learn(await _claims(bus, line.ref, line.seq), line.ref)


async def _claims(bus: Bus, ref: CallRef, before_seq: int) -> list[StageClaimed]:
    found: list[StageClaimed] = []
    async for stored in read(bus.nc, EVENTS.name, ref.event("stage", "claimed")):
        if stored.seq >= before_seq:
            break
        message = decode("event", StageClaimed.name(), stored.data)
        if isinstance(message, StageClaimed):
            found.append(message)
    return found
