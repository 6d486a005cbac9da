"""For how long messages are gathered before they are sent together. Pure.

One message by itself costs everybody who reads it a waking, which is dearer than the message; what goes with others is
late by as long as was gathered. So little is sent soon and much is sent together: up to `CALM_PER_S` messages a second
for as long as was asked for, beyond that longer by the square of how many more there are.
"""

from typing import Final

CALM_PER_S: Final = 1_200.0
"""The audio of some twenty calls."""
LONGEST_MS: Final = 5.0
_COUNTED_S: Final = 0.25


class Gathering:
    """One connection's; times are seconds of one clock."""

    __slots__ = ("_calm_s", "_since_s", "_written", "wait_s")

    def __init__(self, calm_ms: float) -> None:
        self._calm_s = calm_ms / 1_000
        self._since_s = 0.0
        self._written = 0
        self.wait_s = self._calm_s
        """After what was sent last."""

    def wrote(self, messages: int, at_s: float) -> None:
        """So many were sent together now."""
        self._written += messages
        passed_s = at_s - self._since_s
        if passed_s >= _COUNTED_S:
            crowding = max(1.0, self._written / passed_s / CALM_PER_S)
            longest_s = max(self._calm_s, LONGEST_MS / 1_000)
            self.wait_s = min(longest_s, self._calm_s * crowding**2)
            self._written, self._since_s = 0, at_s
