"""The caller clock: one 20 ms frame after the other, whatever the transport delivers.

Times are milliseconds of one monotonic clock, given by the caller of each method; frame n of an attachment has
pts = start + 20·n and is due at origin + 20·n. A frame leaves when it arrives if it is due or at most 20 ms early;
what came too early waits; a slot for which nothing came by 40 ms after its due time is filled with silence.

Two things shorten the line again once every arrival of a while was early. A grid that was laid by late frames, or that
a client with a fast clock outruns, moves forward: nothing is lost. Frames that come late after silence was filled in
for them are paid back: at most as many quiet ones are dropped as were filled. Once a second of audio is queued it
counts as sent ahead on purpose (a whole file at once), and nothing of it is ever dropped.
"""

from array import array
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from voxbus_audio import FRAME_MS, SILENCE_FRAME, is_quiet

EARLY_MS: Final = 20.0
LATE_MS: Final = 40.0
MAX_QUEUED_MS: Final = 120_000

_MAX_QUEUED: Final = MAX_QUEUED_MS // FRAME_MS
_BURST: Final = 1_000 // FRAME_MS
_BURST_GAP_MS: Final = 10.0
_STANDING_MS: Final = 200.0
_PAID_FROM_MS: Final = 15.0
"""Standing earliness from which a filled frame is paid back: all but what a client's jitter hides of one frame."""
_REMEMBERED: Final = 30_000 // FRAME_MS


class CallerFrame(NamedTuple):
    """20 ms of the caller: 640 bytes mono s16le 16 kHz. `arrived_ms` is when its last byte came from the socket.

    For filled frames and those of a burst sent ahead it is when they left the clock: nobody waited for them before.
    """

    pts_ms: int
    pcm: bytes
    filled: bool
    arrived_ms: float


class _StandingEarliness:
    """How early every arrival of the last `window_ms` was, at least; None until a window has passed.

    Only arrivals count, not the time between them: a client that sends 200 ms at a time always has frames waiting
    and owes nothing, since each of its chunks comes in time.
    """

    __slots__ = ("_marks", "_moved_ms", "_since_ms", "_window_ms")

    def __init__(self, window_ms: float) -> None:
        self._window_ms = window_ms
        self._marks: deque[tuple[float, float]] = deque()
        self._moved_ms = 0.0
        self._since_ms: float | None = None

    def found(self, early_ms: float, now_ms: float) -> None:
        if self._since_ms is None:
            self._since_ms = now_ms
        level_ms = early_ms + self._moved_ms
        while self._marks and self._marks[-1][1] >= level_ms:
            self._marks.pop()
        self._marks.append((now_ms, level_ms))

    def least(self, now_ms: float) -> float | None:
        if self._since_ms is None or now_ms - self._since_ms < self._window_ms:
            return None
        while len(self._marks) > 1 and self._marks[0][0] < now_ms - self._window_ms:
            self._marks.popleft()
        return self._marks[0][1] - self._moved_ms

    def moved(self, by_ms: float) -> None:
        """The grid went forward: every arrival would have been less early by this much."""
        self._moved_ms += by_ms


class CallerClock:
    """Paces one attachment's frames. Order: push and poll in the order of time; poll gives each slot once."""

    def __init__(self, now_ms: float) -> None:
        self._start_pts_ms = 0
        self._origin_ms = now_ms
        self._slot = 0
        self._first_burst_at_ms: float | None = None
        self._is_settled = False
        self._queue: deque[tuple[bytes, float]] = deque()
        self._ready: list[CallerFrame] = []
        self._arrivals = array("d", bytes(8 * _REMEMBERED))
        self._sent_ahead = 0
        self._owed = 0
        self._earliness = _StandingEarliness(_STANDING_MS)
        self.filled_frames = 0
        self.dropped_frames = 0

    @property
    def next_pts_ms(self) -> int:
        """The pts after the last frame given out."""
        return self._pts_of(self._slot)

    @property
    def queued_ms(self) -> int:
        return FRAME_MS * len(self._queue)

    def start_at(self, start_pts_ms: int) -> None:
        """Sets the pts of the first frame, 0 otherwise; before the first poll. What was pushed already keeps its time:
        a transport is heard from its first moment, though it takes a while to learn where the call's clock stands."""
        if start_pts_ms % FRAME_MS:
            raise ValueError(f"start_pts_ms: {start_pts_ms} is no multiple of {FRAME_MS}")
        later_ms = start_pts_ms - self._start_pts_ms
        self._start_pts_ms = start_pts_ms
        self._ready = [frame._replace(pts_ms=frame.pts_ms + later_ms) for frame in self._ready]

    def position_at(self, now_ms: float) -> float:
        """Where the audio clock stands, in ms of pts, not rounded to frames: at the end of a frame when it is due."""
        return self._start_pts_ms + FRAME_MS + now_ms - self._origin_ms

    def time_of(self, pts_ms: float) -> float:
        """When the audio clock stands at `pts_ms`."""
        return self._origin_ms + pts_ms - self._start_pts_ms - FRAME_MS

    def arrival_of(self, pts_ms: int) -> float | None:
        """When the last sample before `pts_ms` arrived; None before the attachment or more than 30 s back."""
        slot = (pts_ms - self._start_pts_ms - 1) // FRAME_MS
        if not max(0, self._slot - _REMEMBERED) <= slot < self._slot:
            return None
        return self._arrivals[slot % _REMEMBERED]

    def push(self, frames: Sequence[bytes], now_ms: float) -> int:
        """Takes frames off the transport; gives how many were refused because 120 s are waiting already."""
        if not frames:
            return 0
        self._settle(now_ms, heard=True)
        self._advance(now_ms, fills=False)
        waiting = len(self._queue)
        self._regrid(self._origin_ms + FRAME_MS * (self._slot + waiting) - now_ms, now_ms)
        taken = frames if len(frames) <= _MAX_QUEUED - waiting else frames[: _MAX_QUEUED - waiting]
        for pcm in taken:
            self._queue.append((pcm, now_ms))
        if len(self._queue) > _BURST:
            self._sent_ahead = len(self._queue)
        self._advance(now_ms, fills=False)
        return len(frames) - len(taken)

    def poll(self, now_ms: float) -> list[CallerFrame]:
        """Gives the frames that are ready, in order, and silence for what is missing; when `next_due` says so."""
        self._settle(now_ms, heard=False)
        self._advance(now_ms, fills=True)
        return self.take()

    def take(self) -> list[CallerFrame]:
        """Gives the frames that `push` made ready. Nothing is filled: more of what is late may be in the socket."""
        ready, self._ready = self._ready, []
        return ready

    def next_due(self, now_ms: float) -> float:
        """When to poll next if nothing arrives before."""
        if self._ready:
            return now_ms
        due_ms = self._origin_ms + FRAME_MS * self._slot
        if self._queue:
            return due_ms - EARLY_MS
        if self._first_burst_at_ms is not None and not self._is_settled:
            due_ms = max(due_ms, self._first_burst_at_ms)
        return due_ms + LATE_MS

    def _settle(self, now_ms: float, heard: bool) -> None:
        """Makes the client's own rhythm the grid's, so that its jitter has the whole margin on both sides.

        What it sent while the transport was being set up comes all at once and belongs to the time since then, so it
        leaves at once and is no backlog. The rhythm begins with the last frame of that first burst.
        """
        if self._is_settled:
            return
        burst_at_ms = self._first_burst_at_ms
        if burst_at_ms is not None and now_ms >= burst_at_ms + (_BURST_GAP_MS if heard else LATE_MS):
            self._is_settled = True
            if not self._queue:
                self._origin_ms = max(self._origin_ms, burst_at_ms - FRAME_MS * (self._slot - 1))
        elif heard:
            if burst_at_ms is None and self._origin_ms + FRAME_MS * self._slot > now_ms:
                self._origin_ms = now_ms - FRAME_MS * self._slot
            self._first_burst_at_ms = now_ms

    def _regrid(self, early_ms: float, now_ms: float) -> None:
        """Moves the grid to where the client's frames really come, when it was laid by frames that came late.

        Every frame of a while was early, so each waits for nothing: the grid goes forward by what all of them had to
        spare. Nothing is lost and no slot is left out. What is owed for filled frames is paid in quiet frames instead,
        down to the last part of a frame.
        """
        self._earliness.found(early_ms, now_ms)
        spare_ms = self._earliness.least(now_ms)
        if spare_ms is None or spare_ms <= 0 or early_ms <= EARLY_MS or self._sent_ahead:
            return
        if self._owed and spare_ms >= _PAID_FROM_MS:
            return
        self._origin_ms -= spare_ms
        self._earliness.moved(spare_ms)

    @property
    def _may_fill(self) -> bool:
        return self._is_settled or self._first_burst_at_ms is None

    def _pts_of(self, slot: int) -> int:
        return self._start_pts_ms + FRAME_MS * slot

    def _advance(self, now_ms: float, fills: bool) -> None:
        while True:
            due_ms = self._origin_ms + FRAME_MS * self._slot
            if self._queue and due_ms - EARLY_MS <= now_ms:
                self._shorten(now_ms)
                if self._queue:
                    self._give_queued(now_ms)
            elif fills and not self._queue and due_ms + LATE_MS <= now_ms and self._may_fill:
                self._give(SILENCE_FRAME, True, now_ms)
                self._owed += 1
                self.filled_frames += 1
            else:
                return

    def _give_queued(self, now_ms: float) -> None:
        pcm, arrived_ms = self._queue.popleft()
        if self._sent_ahead:
            self._sent_ahead -= 1
            arrived_ms = now_ms
        self._give(pcm, False, arrived_ms)

    def _give(self, pcm: bytes, filled: bool, arrived_ms: float) -> None:
        self._arrivals[self._slot % _REMEMBERED] = arrived_ms
        self._ready.append(CallerFrame(self._pts_of(self._slot), pcm, filled, arrived_ms))
        self._slot += 1

    def _shorten(self, now_ms: float) -> None:
        while self._queue and self._owed and not self._sent_ahead:
            spare_ms = self._earliness.least(now_ms)
            if spare_ms is None or spare_ms < _PAID_FROM_MS or not is_quiet(self._queue[0][0]):
                return
            self._queue.popleft()
            self.dropped_frames += 1
            self._earliness.moved(FRAME_MS)
            self._owed -= 1
