"""Frames as they come, in any order, become segments. Pure; one `add` per frame is all a live call costs."""

from typing import Final

from voxbus_audio import FRAME_BYTES, FRAME_MS
from voxbus_recorder.segment import SLOTS, Segment

LOOKS_UNTIL_IDLE: Final = 3
"""A cell nothing came for at so many looks (one a second) is cut although its time is not over."""
_GRACE_SLOTS: Final = 25
"""Frames of two subjects are at most this far apart, 500 ms."""


class _Cell:
    __slots__ = ("caller", "idle", "played", "touched")

    def __init__(self) -> None:
        self.caller: dict[int, bytes] = {}
        self.played: dict[int, bytes] = {}
        self.touched = True
        self.idle = 0


class Cutter:
    """One call's frames that are not in a segment yet. A frame that comes late opens its cell again."""

    __slots__ = ("_cells", "_newest", "broken", "holds")

    def __init__(self) -> None:
        self._cells: dict[int, _Cell] = {}
        self._newest = 0
        self.broken = 0
        """Frames that are not 20 ms long."""
        self.holds = False
        """Frames of the past are being read: nothing is cut meanwhile, so that one cell makes one segment."""

    def caller(self, pts_ms: int, pcm: bytes) -> None:
        slot = pts_ms // FRAME_MS
        cell = self._cell(slot, pcm)
        if cell is not None:
            cell.caller[slot % SLOTS] = pcm

    def played(self, pts_ms: int, pcm: bytes) -> None:
        slot = pts_ms // FRAME_MS
        cell = self._cell(slot, pcm)
        if cell is not None:
            cell.played[slot % SLOTS] = pcm

    def due(self) -> list[Segment]:
        """What can be stored now, oldest first; asked once a second."""
        return [] if self.holds else [self._cut(number) for number in sorted(self._cells) if self._is_over(number)]

    def rest(self) -> list[Segment]:
        """Everything: the call is over or goes to another worker."""
        return [self._cut(number) for number in sorted(self._cells)]

    def _cell(self, slot: int, pcm: bytes) -> _Cell | None:
        if len(pcm) != FRAME_BYTES:
            self.broken += 1
            return None
        self._newest = max(self._newest, slot)
        cell = self._cells.get(slot // SLOTS)
        if cell is None:
            cell = self._cells[slot // SLOTS] = _Cell()
        cell.touched = True
        return cell

    def _is_over(self, number: int) -> bool:
        cell = self._cells[number]
        cell.idle = 0 if cell.touched else cell.idle + 1
        cell.touched = False
        return self._newest >= (number + 1) * SLOTS + _GRACE_SLOTS or cell.idle >= LOOKS_UNTIL_IDLE

    def _cut(self, number: int) -> Segment:
        cell = self._cells.pop(number)
        return Segment(number, cell.caller, cell.played)
