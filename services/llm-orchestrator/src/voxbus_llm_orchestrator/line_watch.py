"""Whether the caller is there: what the running process knows of a call's media-ingress beside the log."""

from typing import Final

from structlog.stdlib import BoundLogger

from voxbus_runtime.liveness import Vital
from voxbus_runtime.peers import Peers

CATCHES_UP_MS: Final = 2_000
"""media-ingress is back: what it could not say is said again, heard and recognized within this time."""


class LineWatch:
    """`claimed` and `check` as things happen; the rest is what they came to."""

    def __init__(self, peers: Peers, log: BoundLogger) -> None:
        self._peers = peers
        self._log = log
        self._worker = ""
        self._epoch = 0
        self._is_silent = False
        self._caught_up_unix_ms = 0.0
        self.lost_pts_ms: int | None = None
        """Since when the line is lost, on the audio clock."""

    def claimed(self, worker: str, epoch: int) -> None:
        """A media-ingress has taken the call."""
        self._worker, self._epoch = worker, epoch

    def check(self, attachment: int, now_pts_ms: int, now_unix_ms: float) -> None:
        """A media-ingress that gives no sign of life has lost the line, whether it can say so or not. One that has just
        taken the call over has no line either, until it says that the caller is there: `attachment` is its epoch."""
        is_silent = bool(self._worker) and self._peers.vital(self._worker) is Vital.SUSPECT
        if is_silent and not self._is_silent:
            self._log.warning("media-ingress of the call is gone, waiting for the caller to come back")
        if self._is_silent and not is_silent:
            self._caught_up_unix_ms = now_unix_ms + CATCHES_UP_MS
        self._is_silent = is_silent
        lost = is_silent or 0 < attachment < self._epoch
        self.lost_pts_ms = (self.lost_pts_ms or now_pts_ms) if lost else None

    def is_catching_up(self, now_unix_ms: float) -> bool:
        """What the caller said while media-ingress was silent is still to be heard."""
        return self._is_silent or now_unix_ms < self._caught_up_unix_ms
