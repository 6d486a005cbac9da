"""The caller's audio clock as this process reckons it, from what those say who have the audio."""


class AudioClock:
    """pts = wall clock − base. The base is the least seen: the message that was under way the shortest.

    All times ms; wall clock since the epoch, so that it can be reckoned from logged messages too.
    """

    __slots__ = ("_base_ms",)

    def __init__(self) -> None:
        self._base_ms: float | None = None

    def heard(self, pts_ms: float | None, at_unix_ms: float) -> None:
        """Somebody said something when the caller's audio stood at `pts_ms`; None = they did not say."""
        if pts_ms is None:
            return
        base = at_unix_ms - pts_ms
        self._base_ms = base if self._base_ms is None else min(self._base_ms, base)

    def now_ms(self, unix_ms: float) -> int:
        """0 before anything was heard."""
        return 0 if self._base_ms is None else max(0, int(unix_ms - self._base_ms))

    def unix_ms_at(self, pts_ms: float, unix_ms: float) -> float:
        """When the clock will show `pts_ms`."""
        return unix_ms if self._base_ms is None else self._base_ms + pts_ms
