"""How long something is waited for that is missing and holds up the rest of what the caller is to hear. Pure.

Times are milliseconds of the playout's clock.
"""

import math
from typing import Final

# Lost frames are asked for again from the stream first, and played as silence when they do not come.
_HOLE_MS: Final = 300.0
_UNSAID_MS: Final = 1_000.0  # Says come in order: a number never said while a later one has sound does not exist.
_AFTER_LOSS_MS: Final = 1_600.0
"""Once the bus is back, the voice says again what was under way when it was lost, as soon as it is back itself."""


class Holes:
    """Notices what is missing, and for how long; while the bus is lost nothing is given up."""

    __slots__ = ("_is_unsaid", "_place", "_since_ms", "_waits_until_ms")

    def __init__(self) -> None:
        self._place: int | None = None
        self._is_unsaid = False
        self._since_ms = 0.0
        self._waits_until_ms = 0.0

    @property
    def gives_up_at_ms(self) -> float | None:
        """When what is missing now has been waited for long enough; None = nothing is missing, or the bus is."""
        if self._place is None:
            return None
        patience_ms = _UNSAID_MS if self._is_unsaid else _HOLE_MS
        at_ms = max(self._since_ms + patience_ms, self._waits_until_ms)
        return None if math.isinf(at_ms) else at_ms

    def notice(self, place: int | None, is_unsaid: bool, now_ms: float) -> None:
        """`place`: the utterance that is held up, None = none is; `is_unsaid`: nothing of it is known at all."""
        if place is None or (place, is_unsaid) != (self._place, self._is_unsaid):
            self._place, self._is_unsaid, self._since_ms = place, is_unsaid, now_ms

    def is_given_up(self, now_ms: float) -> bool:
        at_ms = self.gives_up_at_ms
        return at_ms is not None and now_ms >= at_ms

    def bus_lost(self) -> None:
        """Nobody can say again what is missing."""
        self._waits_until_ms = math.inf

    def bus_back(self, now_ms: float) -> None:
        """Those who can say it again are back now, or soon."""
        self._waits_until_ms = now_ms + _AFTER_LOSS_MS
