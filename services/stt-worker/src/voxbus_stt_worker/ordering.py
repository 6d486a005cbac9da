"""A call's frames in the order of their pts, each once, although some come late, twice or never.

Sources are the live subject and the stream, so doubles are normal. A hole is asked of the stream after a moment and
given up after a longer one: what comes then is too late. Time is given from outside, in ms of any steady clock.
"""

from dataclasses import dataclass
from typing import Final

from voxbus_audio import FRAME_MS
from voxbus_providers.recognizer import HeardFrame

ASK_AFTER_MS: Final = 60
"""Three frames: a mere swap on the way is repaired by then."""
PATIENCE_MS: Final = 200
ASKED_PATIENCE_MS: Final = 2_000
"""While the stream has not answered yet: it may be busy with a takeover."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Frames from `from_pts_ms` up to before `upto_pts_ms` have not come."""

    from_pts_ms: int
    upto_pts_ms: int


class FrameOrder:
    """Mutable, for it is called for every 20 ms frame of every call."""

    __slots__ = (
        "_asked",
        "_asking",
        "_expected_upto_ms",
        "_hole_since_ms",
        "_waiting",
        "next_pts_ms",
        "patient_until_ms",
    )

    def __init__(self, from_pts_ms: int | None = None) -> None:
        self.next_pts_ms = from_pts_ms
        """Everything before has been given out or up; None = nothing has come, so the first frame may be any."""
        self.patient_until_ms = 0.0
        """No hole is given up before: what is in it is expected to be said again."""
        self._waiting: dict[int, HeardFrame] = {}
        self._expected_upto_ms = 0
        self._hole_since_ms: float | None = None
        self._asked = False
        self._asking = False

    def push(self, frame: HeardFrame, now_ms: float) -> list[HeardFrame]:
        """What may be handed on now."""
        expected_ms = self.next_pts_ms
        if expected_ms is None:
            expected_ms = frame.pts_ms
        elif frame.pts_ms < expected_ms:
            return []
        if frame.pts_ms == expected_ms and not self._waiting:
            self.next_pts_ms = expected_ms + FRAME_MS
            if self._hole_since_ms is not None:
                self._look_for_hole(now_ms, moved=True)
            return [frame]
        self._waiting.setdefault(frame.pts_ms, frame)
        return self._drain(expected_ms, now_ms)

    def expect(self, from_pts_ms: int, upto_pts_ms: int, now_ms: float) -> None:
        """Somebody has heard this audio: what is missing of it is a hole even if nothing comes behind it."""
        if self.next_pts_ms is None:
            self.next_pts_ms = from_pts_ms
        self._expected_upto_ms = max(self._expected_upto_ms, upto_pts_ms)
        self._look_for_hole(now_ms, moved=False)

    @property
    def wake_at_ms(self) -> float | None:
        """When `tick` is due; None while there is no hole."""
        if self._hole_since_ms is None:
            return None
        if not self._asked:
            return self._hole_since_ms + ASK_AFTER_MS
        return max(self._hole_since_ms + self._patience_ms, self.patient_until_ms)

    def tick(self, now_ms: float) -> tuple[list[HeardFrame], Hole | None]:
        """What may be handed on because a hole is given up, and a hole to be asked of the stream."""
        if self._hole_since_ms is None:
            return [], None
        waited_ms = now_ms - self._hole_since_ms
        if waited_ms >= self._patience_ms and now_ms >= self.patient_until_ms:
            return self.give_up(now_ms), None
        if waited_ms >= ASK_AFTER_MS and not self._asked:
            self._asked = self._asking = True
            return [], self._hole()
        return [], None

    def answered(self) -> None:
        """The stream has said all it knows; its frames were pushed."""
        self._asking = False

    def give_up(self, now_ms: float) -> list[HeardFrame]:
        """Goes on behind the present hole."""
        hole = self._hole()
        return self._drain(hole.upto_pts_ms, now_ms) if hole is not None else []

    @property
    def _patience_ms(self) -> int:
        return ASKED_PATIENCE_MS if self._asking else PATIENCE_MS

    def _hole(self) -> Hole | None:
        if self.next_pts_ms is None:
            return None
        upto_ms = min(self._waiting) if self._waiting else self._expected_upto_ms
        return Hole(self.next_pts_ms, upto_ms) if self.next_pts_ms < upto_ms else None

    def _drain(self, from_pts_ms: int, now_ms: float) -> list[HeardFrame]:
        ready: list[HeardFrame] = []
        at_ms = from_pts_ms
        while (frame := self._waiting.pop(at_ms, None)) is not None:
            ready.append(frame)
            at_ms += FRAME_MS
        moved = at_ms != self.next_pts_ms
        self.next_pts_ms = at_ms
        self._look_for_hole(now_ms, moved)
        return ready

    def _look_for_hole(self, now_ms: float, moved: bool) -> None:
        if self._hole() is None:
            self._hole_since_ms = None
            self._asked = False
        elif self._hole_since_ms is None or moved:
            self._hole_since_ms = now_ms
            self._asked = False
