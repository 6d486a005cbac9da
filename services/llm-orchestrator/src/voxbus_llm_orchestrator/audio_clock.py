"""The caller's audio clock as this process reckons it, from what those say who have the audio."""

from collections import deque
from typing import Final

from voxbus_contracts.events import (
    PlaybackCleared,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackResumed,
)
from voxbus_contracts.message import Message

_FRAME_MS: Final = 20
_LATELY_MS: Final = 20_000
"""Some turns: with each come half a dozen messages."""
_AT_LEAST: Final = 3
"""After a long silence one message that comes late does not set the clock back."""
_ENDS_LATER: Final = (PlaybackCleared, PlaybackFinished, PlaybackPaused, PlaybackProgressed, PlaybackResumed)
"""They tell where the frame ends that leaves now: it sounds up to a frame later."""


def stamp_ms(said: Message) -> float | None:
    """When it was said, on the audio clock; as exactly as it tells, and rather too early than too late."""
    for stamp in ("left_pts_ms", "detected_pts_ms", "pts_ms"):
        at_ms: float | None = getattr(said, stamp, None)
        if at_ms is not None:
            return at_ms - _FRAME_MS if isinstance(said, _ENDS_LATER) else at_ms
    return None


class AudioClock:
    """pts = wall clock − base. The base is the least seen lately: the message that was under way the shortest. Lately,
    because media-ingress moves its clock to the rhythm in which the caller's frames come, and that may drift.

    All times ms; wall clock since the epoch, so that it can be reckoned from logged messages too.
    """

    __slots__ = ("_bases", "_heard", "_shown_ms")

    def __init__(self) -> None:
        self._bases: deque[tuple[float, float, int]] = deque()
        """When it was heard, the base by it, and which message it was: the bases rise, the first is the least."""
        self._heard = 0
        self._shown_ms = 0

    def heard(self, pts_ms: float | None, at_unix_ms: float) -> None:
        """Somebody said something when the caller's audio stood at `pts_ms`; None = they did not say."""
        if pts_ms is None:
            return
        base = at_unix_ms - pts_ms
        bases = self._bases
        while bases and bases[-1][1] >= base:
            bases.pop()
        self._heard += 1
        bases.append((at_unix_ms, base, self._heard))
        while bases[0][0] < at_unix_ms - _LATELY_MS and bases[0][2] <= self._heard - _AT_LEAST:
            bases.popleft()

    def now_ms(self, unix_ms: float) -> int:
        """0 before anything was heard; never less than it was."""
        if self._bases:
            self._shown_ms = max(self._shown_ms, int(unix_ms - self._bases[0][1]))
        return self._shown_ms

    def unix_ms_at(self, pts_ms: float, unix_ms: float) -> float:
        """When the clock will show `pts_ms`."""
        return self._bases[0][1] + pts_ms if self._bases else unix_ms
