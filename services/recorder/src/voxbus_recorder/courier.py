"""Brings segments to the object store, each call's in order; keeps them when it fails, and says so once."""

import asyncio
import contextlib
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from structlog.stdlib import BoundLogger

from voxbus_contracts import CallRef
from voxbus_objects import ObjectFault, ObjectStore
from voxbus_recorder import metrics
from voxbus_recorder.spool import Spool

_LANES: Final = 8
_FIRST_RETRY_S: Final = 0.25
_LONGEST_RETRY_S: Final = 15.0
_LAST_TRY_S: Final = 3.0

Say = Callable[[CallRef, str, str, bool], None]
"""Call, code, detail, retryable: a fault that the call's followers should see."""


@dataclass(slots=True)
class _Parcel:
    """One segment; `content` None = it lies in the spool."""

    ref: CallRef
    key: str
    content: bytes | None


@dataclass(slots=True)
class _Lane:
    parcels: deque[_Parcel] = field(default_factory=deque[_Parcel])
    there: asyncio.Event = field(default_factory=asyncio.Event)


class Courier:
    """All segments of one process that are not in the store yet. A call always takes the same lane."""

    def __init__(self, store: ObjectStore, spool: Spool, memory_bytes: int, log: BoundLogger, say: Say) -> None:
        self._store = store
        self._spool = spool
        self._memory_bytes = memory_bytes
        self._log = log
        self._say = say
        self._held_bytes = 0
        self._lanes = [_Lane() for _ in range(_LANES)]
        self._waiting: dict[CallRef, int] = {}
        self._told: set[CallRef] = set()
        self._left_behind: set[CallRef] = set()
        self._changed = asyncio.Condition()
        self._on_late: Callable[[CallRef], None] = lambda _: None

    def on_late(self, callback: Callable[[CallRef], None]) -> None:
        """`callback(call)` when segments that an earlier process left in the spool have all been delivered."""
        self._on_late = callback

    async def adopt(self) -> int:
        """What an earlier process of this machine left in the spool goes first; how many segments."""
        keys = await asyncio.to_thread(self._spool.keys)
        for key in keys:
            org, call = key.split("/")[:2]
            ref = CallRef(org, call)
            self._left_behind.add(ref)
            self._put(_Parcel(ref, key, None))
        return len(keys)

    def send(self, ref: CallRef, key: str, content: bytes) -> None:
        """Takes a segment; returns at once. When neither spool nor memory has room it is lost, and that is said."""
        if self._held_bytes + len(content) > self._memory_bytes:
            metrics.SEGMENTS_LOST.inc()
            self._log.error("no room for a segment, it is lost", call=ref.call)
            self._say(ref, "segment-lost", "neither the object store nor the spool nor memory had room", False)
            return
        self._held_bytes += len(content)
        self._put(_Parcel(ref, key, content))

    def waiting(self, ref: CallRef) -> int:
        """Segments of a call that are not in the store yet."""
        return self._waiting.get(ref, 0)

    async def until_delivered(self, ref: CallRef) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: not self.waiting(ref))

    async def put_by(self) -> None:
        """The process ends: what the store does not take at once goes to the spool, for the next one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_TRY_S), self._changed:
                await self._changed.wait_for(lambda: not self._waiting)
        for lane in self._lanes:
            await self._spool_lane(lane)

    async def run(self) -> None:
        """Delivers for ever; owned by the process."""
        async with asyncio.TaskGroup() as lanes:
            for lane in self._lanes:
                lanes.create_task(self._serve(lane))

    # --- inside ------------------------------------------------------------------------------------------------

    def _put(self, parcel: _Parcel) -> None:
        self._waiting[parcel.ref] = self.waiting(parcel.ref) + 1
        metrics.SEGMENTS_WAITING.inc()
        lane = self._lanes[zlib.crc32(parcel.ref.call.encode()) % _LANES]
        lane.parcels.append(parcel)
        lane.there.set()

    async def _serve(self, lane: _Lane) -> None:
        retry_s = _FIRST_RETRY_S
        while True:
            if not lane.parcels:
                lane.there.clear()
                await lane.there.wait()
            parcel = lane.parcels[0]
            try:
                await self._deliver(parcel)
            except ObjectFault as problem:
                self._tell(lane, problem)
                await self._spool_lane(lane)
                await asyncio.sleep(retry_s)
                retry_s = min(_LONGEST_RETRY_S, retry_s * 2)
                continue
            retry_s = _FIRST_RETRY_S
            lane.parcels.popleft()
            await self._delivered(parcel)

    async def _deliver(self, parcel: _Parcel) -> None:
        content = parcel.content
        if content is None:
            content = await asyncio.to_thread(self._spool.get, parcel.key)
        if content is None:
            return
        await self._store.put(parcel.key, content)
        metrics.SEGMENTS_STORED.inc()

    async def _delivered(self, parcel: _Parcel) -> None:
        if parcel.content is None:
            await asyncio.to_thread(self._spool.delete, parcel.key)
        else:
            self._held_bytes -= len(parcel.content)
        metrics.SEGMENTS_WAITING.dec()
        left = self.waiting(parcel.ref) - 1
        self._waiting[parcel.ref] = left
        if not left:
            del self._waiting[parcel.ref]
            if parcel.ref in self._told:
                self._told.discard(parcel.ref)
                self._log.info("the object store has a call's segments again", call=parcel.ref.call)
            if parcel.ref in self._left_behind:
                self._left_behind.discard(parcel.ref)
                self._on_late(parcel.ref)
        async with self._changed:
            self._changed.notify_all()

    def _tell(self, lane: _Lane, problem: ObjectFault) -> None:
        """Once per call and outage."""
        for ref in {parcel.ref for parcel in lane.parcels} - self._told:
            self._told.add(ref)
            self._log.error("the object store fails, segments wait in the spool", call=ref.call, code=problem.code)
            self._say(ref, problem.code, "the recording waits on the recorder's disk until the store is back", True)

    async def _spool_lane(self, lane: _Lane) -> None:
        """Out of memory onto the disk, as far as that has room."""
        for parcel in [each for each in lane.parcels if each.content is not None]:
            content = parcel.content
            assert content is not None
            try:
                await asyncio.to_thread(self._spool.put, parcel.key, content)
            except OSError as problem:
                self._log.warning("the spool fails, segments wait in memory", problem=type(problem).__name__)
                return
            parcel.content = None
            self._held_bytes -= len(content)
            metrics.SEGMENTS_SPOOLED.inc()
