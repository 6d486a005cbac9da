"""A call's segments as the object store has them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from voxbus_contracts import CallRef
from voxbus_objects import ObjectMissing, ObjectStore, keys
from voxbus_recorder import metrics
from voxbus_recorder.errors import BrokenSegment
from voxbus_recorder.segment import CELL_MS, SLOTS, Segment, union, unpack


@dataclass(slots=True)
class Known:
    """Which slots of the audio clock the store has, and which of its segments are broken."""

    caller: set[int] = field(default_factory=set[int])
    played: set[int] = field(default_factory=set[int])
    broken: dict[str, str] = field(default_factory=dict[str, str])
    """Key → what is wrong."""

    @property
    def last_slot(self) -> int:
        """-1 = nothing."""
        return max(max(self.caller, default=-1), max(self.played, default=-1))


class Shelf:
    """Made by `read_shelf`: the keys by cell."""

    def __init__(self, store: ObjectStore, ref: CallRef, by_cell: dict[int, list[str]]) -> None:
        self._store = store
        self.ref = ref
        self.by_cell = by_cell

    @property
    def empty(self) -> bool:
        return not self.by_cell

    @property
    def next_pts_ms(self) -> int:
        """Where the newest cell begins: what lies before it was stored."""
        return max(self.by_cell, default=0) * CELL_MS

    async def cell(self, number: int, on_broken: Callable[[str, str], None]) -> Segment:
        """Everything the store has of a cell; a segment that is broken is named and left out. Raises ObjectFault."""
        found: list[Segment] = []
        for key in self.by_cell.get(number, ()):
            try:
                found.append(unpack(await self._store.get(key)))
            except BrokenSegment as wrong:
                on_broken(key, str(wrong))
            except ObjectMissing:
                on_broken(key, "it is gone")
        return union(number, found)

    async def cells(self, first_slot: int, end_slot: int) -> AsyncIterator[Segment]:
        """Every cell of a stretch, in order, those without segments too."""
        for number in range(first_slot // SLOTS, -(-end_slot // SLOTS)):
            yield await self.cell(number, lambda _key, _what: None)

    async def known(self) -> Known:
        known = Known()

        def on_broken(key: str, what: str) -> None:
            known.broken[key] = what
            metrics.SEGMENTS_BROKEN.inc()

        for number in sorted(self.by_cell):
            segment = await self.cell(number, on_broken)
            known.caller |= {number * SLOTS + slot for slot in segment.caller}
            known.played |= {number * SLOTS + slot for slot in segment.played}
        return known

    async def clear(self) -> None:
        """The recording is made: its segments go."""
        await self._store.delete_prefix(keys.segments_prefix(self.ref))


async def read_shelf(store: ObjectStore, ref: CallRef) -> Shelf:
    """Raises ObjectFault."""
    by_cell: dict[int, list[str]] = {}
    for each in await store.list(keys.segments_prefix(ref)):
        first_pts_ms, _, _ = keys.parse_segment(each.key)
        by_cell.setdefault(first_pts_ms // CELL_MS, []).append(each.key)
    return Shelf(store, ref, by_cell)
