"""How often the bus hears of a transcript that still changes. Pure."""

from dataclasses import dataclass
from typing import Final

INTERVAL_MS: Final = 200.0
"""At most five a second."""
HURRY_MS: Final = 300.0
"""How long after a pause of the caller no partial is kept: someone may be about to answer the last word of it."""


@dataclass(frozen=True, slots=True)
class Partial:
    """What the recognizer understands so far of an utterance."""

    transcript_seq: int
    text: str
    start_pts_ms: int
    end_pts_ms: int


class PartialPacer:
    """Lets a partial through when its text is news and the last one is long enough ago; keeps the newest meanwhile."""

    __slots__ = ("_held", "_hurries_until_ms", "_said", "_said_at_ms")

    def __init__(self) -> None:
        self._said: tuple[int, str] = (0, "")
        self._said_at_ms = float("-inf")
        self._hurries_until_ms = float("-inf")
        self._held: Partial | None = None

    @property
    def wake_at_ms(self) -> float | None:
        """When the kept one may go; None when there is none."""
        return self._said_at_ms + INTERVAL_MS if self._held is not None else None

    def offer(self, partial: Partial, now_ms: float) -> Partial | None:
        """The partial if it may go now."""
        self._held = None
        known = (partial.transcript_seq, partial.text)
        if not partial.text or known == self._said:
            return None
        if now_ms < self._said_at_ms + INTERVAL_MS and now_ms >= self._hurries_until_ms:
            self._held = partial
            return None
        self._said, self._said_at_ms = known, now_ms
        return partial

    def due(self, now_ms: float) -> Partial | None:
        """The kept one when its time has come."""
        return self.offer(self._held, now_ms) if self._held is not None else None

    def hurry(self, now_ms: float) -> Partial | None:
        """The caller pauses: the kept one goes now, and those of the next moment as they come."""
        self._hurries_until_ms = now_ms + HURRY_MS
        return self.due(now_ms)

    def drop(self) -> None:
        """The final is said: what was kept is old."""
        self._held = None
