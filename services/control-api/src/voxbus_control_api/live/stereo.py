"""Frames of both directions → what a listener is sent. Pure.

Stereo, 16 kHz, signed 16 bit little endian, as the recording has it: left the caller, right what was played to it.
"""

from array import array
from collections.abc import Iterator
from typing import Final

from voxbus_runtime.fence import Fence

START: Final = {"type": "start", "encoding": "linear16", "sampleRate": 16_000, "channels": 2}

DELAY_MS: Final = 200
"""What was played at a moment comes a little before or after what the caller said then."""
_HOLE_MS: Final = 1_000
"""A hole up to this long is filled with silence; a longer one is a caller who was away, which nobody wants to hear."""
_MAKER: Final = "media-ingress"
_FRAME_MS: Final = 20
_FRAME_BYTES: Final = 640


class Stereo:
    """One call's. Frames come in about the order of their places; each place is given once, in order."""

    def __init__(self) -> None:
        self._fence = Fence()
        self._caller: dict[int, bytes] = {}
        self._played: dict[int, bytes] = {}
        self._next_ms: int | None = None

    def caller(self, pts_ms: int, epoch: int, pcm: bytes) -> Iterator[bytes]:
        """Takes 20 ms of the caller, which also is the clock; gives what is due by now, 20 ms at a time."""
        if not self._fence.accepts(_MAKER, epoch) or (self._next_ms is not None and pts_ms < self._next_ms):
            return
        self._caller[pts_ms] = pcm
        if self._next_ms is None or pts_ms - self._next_ms > _HOLE_MS + DELAY_MS:
            self._next_ms = pts_ms
            self._forget_before(pts_ms)
        yield from self._upto(self._next_ms, pts_ms - DELAY_MS)

    def played(self, pts_ms: int, epoch: int, pcm: bytes) -> None:
        """Takes 20 ms of what left for the caller."""
        if self._fence.accepts(_MAKER, epoch) and (self._next_ms is None or pts_ms >= self._next_ms):
            self._played[pts_ms] = pcm
            if len(self._played) > _HOLE_MS // _FRAME_MS:
                del self._played[min(self._played)]

    def rest(self) -> Iterator[bytes]:
        """What came and is not given yet: nothing more will come."""
        if self._next_ms is not None:
            yield from self._upto(self._next_ms, max((*self._caller, *self._played), default=self._next_ms - 1))

    def _upto(self, next_ms: int, last_ms: int) -> Iterator[bytes]:
        for pts_ms in range(next_ms, last_ms + 1, _FRAME_MS):
            self._next_ms = pts_ms + _FRAME_MS
            yield interleaved(self._caller.pop(pts_ms, b""), self._played.pop(pts_ms, b""))

    def _forget_before(self, pts_ms: int) -> None:
        self._caller = {at: pcm for at, pcm in self._caller.items() if at >= pts_ms}
        self._played = {at: pcm for at, pcm in self._played.items() if at >= pts_ms}


def interleaved(left: bytes, right: bytes) -> bytes:
    """Two mono frames as one of two channels; an empty or short one is filled up with silence."""
    both = array("h", bytes(2 * _FRAME_BYTES))
    both[0::2], both[1::2] = _whole(left), _whole(right)
    return both.tobytes()


def _whole(pcm: bytes) -> "array[int]":
    return array("h", pcm if len(pcm) == _FRAME_BYTES else pcm[:_FRAME_BYTES].ljust(_FRAME_BYTES, b"\0"))
