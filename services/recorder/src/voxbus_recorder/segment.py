"""5 s of a call, both directions by slot, and their bytes in the store. Pure.

A slot is 20 ms. A segment lies inside one cell of 250 slots of the audio clock; several segments of a cell complete
each other, whoever wrote them, so a takeover, a late frame or a second try needs no agreement.

Bytes, little endian: magic `VXS1`, first pts of the cell in ms (u64), one bit per slot for the caller and for what was
played (32 bytes each, lowest bit first), the frames of the caller, those played (640 bytes each), CRC-32 of all before.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from voxbus_audio import FRAME_BYTES, FRAME_MS
from voxbus_recorder.errors import BrokenSegment

SLOTS: Final = 250
CELL_MS: Final = SLOTS * FRAME_MS
_MAGIC: Final = b"VXS1"
_HEAD: Final = struct.Struct("<4sQ32s32s")
_CRC: Final = struct.Struct("<I")

Frames = Mapping[int, bytes]
"""Slot inside the cell, 0..249 → 640 bytes of sound."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What is known of one cell."""

    cell: int
    caller: Frames
    played: Frames

    @property
    def first_pts_ms(self) -> int:
        return self.cell * CELL_MS


def pack(segment: Segment) -> bytes:
    head = _HEAD.pack(_MAGIC, segment.first_pts_ms, _bits(segment.caller), _bits(segment.played))
    sound = [frames[slot] for frames in (segment.caller, segment.played) for slot in sorted(frames)]
    body = b"".join((head, *sound))
    return body + _CRC.pack(zlib.crc32(body))


def unpack(content: bytes) -> Segment:
    """Raises BrokenSegment."""
    if len(content) < _HEAD.size + _CRC.size:
        raise BrokenSegment(f"{len(content)} bytes are too few")
    magic, first_pts_ms, caller_bits, played_bits = _HEAD.unpack_from(content)
    if magic != _MAGIC or first_pts_ms % CELL_MS:
        raise BrokenSegment("it does not begin as a segment does")
    body, crc = content[: -_CRC.size], _CRC.unpack(content[-_CRC.size :])[0]
    if zlib.crc32(body) != crc:
        raise BrokenSegment("its checksum does not match")
    caller, played = _slots(caller_bits), _slots(played_bits)
    if len(body) != _HEAD.size + (len(caller) + len(played)) * FRAME_BYTES:
        raise BrokenSegment("it has not the frames it says")
    starts = iter(range(_HEAD.size, len(body), FRAME_BYTES))
    return Segment(
        first_pts_ms // CELL_MS,
        {slot: body[at : at + FRAME_BYTES] for slot, at in zip(caller, starts, strict=False)},
        {slot: body[at : at + FRAME_BYTES] for slot, at in zip(played, starts, strict=False)},
    )


def union(cell: int, segments: Iterable[Segment]) -> Segment:
    """Everything known of a cell; of a slot that comes twice the later segment's frame counts."""
    caller: dict[int, bytes] = {}
    played: dict[int, bytes] = {}
    for segment in segments:
        caller |= segment.caller
        played |= segment.played
    return Segment(cell, caller, played)


def _bits(frames: Frames) -> bytes:
    return sum(1 << slot for slot in frames).to_bytes(32, "little")


def _slots(bits: bytes) -> list[int]:
    number = int.from_bytes(bits, "little")
    return [slot for slot in range(SLOTS) if number >> slot & 1]
