"""Topics that somebody listens to, one per organisation or call, and what lies in the stream before them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from voxbus_archive import BrokenArchive, parse_archive
from voxbus_contracts import CallRef
from voxbus_contracts.events import CallQueued
from voxbus_contracts.streams import EVENTS
from voxbus_control_api import metrics
from voxbus_control_api.bus_away import answering
from voxbus_control_api.live.lines import Current, Line, line_of
from voxbus_control_api.live.topic import Listener, Topic, learn_epochs
from voxbus_objects import ObjectFault, ObjectStore, keys
from voxbus_runtime.bus import Bus
from voxbus_runtime.stream_reader import last, read


class LiveEvents:
    """One process's. Every method raises Unavailable while the bus does not answer."""

    def __init__(self, bus: Bus, objects: ObjectStore) -> None:
        self._bus = bus
        self._objects = objects
        self._topics: dict[str, Topic] = {}
        self._changing = asyncio.Lock()
        self._is_stopped = False

    @asynccontextmanager
    async def listening(self, subject: str) -> AsyncGenerator[Listener]:
        """What happens on a subject from now on."""
        async with answering(), self._changing:
            topic = self._topics.get(subject)
            if topic is None:
                topic = Topic(self._bus, subject)
                await topic.open()
                self._topics[subject] = topic
            listener = topic.join()
        if self._is_stopped:
            listener.end()
        metrics.EVENT_LISTENERS.inc()
        try:
            yield listener
        finally:
            metrics.EVENT_LISTENERS.dec()
            topic.leave(listener)
            await asyncio.shield(asyncio.ensure_future(self._tidy(subject)))

    async def stop(self) -> None:
        """Every client is sent away, to come again elsewhere."""
        self._is_stopped = True
        async with self._changing:
            topics, self._topics = list(self._topics.values()), {}
        for topic in topics:
            await topic.close()

    async def past_of(self, ref: CallRef, before_seq: int, *, wordless: bool) -> list[Line]:
        """A call's events up to there: the stream's, and where it has lost the beginning the archive's."""
        found: dict[int, Line] = {}
        async with answering():
            async for stored in read(self._bus.nc, EVENTS.name, ref.all_events):
                if stored.seq >= before_seq:
                    break
                line = line_of(stored.subject, stored.headers, stored.data, stored.seq, wordless=wordless)
                if line is not None:
                    found[line.seq] = line
        if not any(line.name == CallQueued.name() for line in found.values()):
            found = await self._archived(ref, wordless=wordless) | found
        current = Current()
        return [found[seq] for seq in sorted(found) if current.counts(found[seq])]

    async def first_seq(self) -> int:
        """The oldest event that the stream still has, of anybody's."""
        async with answering():
            return (await self._bus.js.stream_info(EVENTS.name)).state.first_seq

    async def past(self, subject: str, after_seq: int, before_seq: int) -> AsyncIterator[Line]:
        """An organisation's events between two places in the stream; of calls that were deleted nothing."""
        current, deleted = Current(), dict[CallRef, bool]()
        async with answering():
            async for stored in read(self._bus.nc, EVENTS.name, subject, from_seq=after_seq + 1):
                if stored.seq >= before_seq:
                    return
                line = line_of(stored.subject, stored.headers, stored.data, stored.seq)
                if line is None:
                    continue
                if line.ref not in deleted:
                    gone = line.ref.event("call", "deleted")
                    deleted[line.ref] = await last(self._bus.nc, EVENTS.name, gone) is not None
                await learn_epochs(self._bus, current, line)
                if current.counts(line) and (not deleted[line.ref] or line.name == "call.deleted"):
                    yield line

    async def _archived(self, ref: CallRef, *, wordless: bool) -> dict[int, Line]:
        try:
            archive = await asyncio.to_thread(parse_archive, await self._objects.get(keys.archive(ref)))
        except (ObjectFault, BrokenArchive):
            return {}
        found: dict[int, Line] = {}
        for each in archive.messages:
            line = line_of(each.subject, each.headers, each.payload, each.stream_seq, wordless=wordless)
            if line is not None:
                found[line.seq] = line
        return found

    async def _tidy(self, subject: str) -> None:
        async with self._changing:
            topic = self._topics.get(subject)
            if topic is not None and topic.is_idle:
                del self._topics[subject]
                await topic.close()
