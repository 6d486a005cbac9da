"""Verdicts in the order of the audio, although some of them come late."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Frame:
    pts_ms: int
    voiced: bool
    settled: bool


class VerdictOrder:
    """Holds frames back behind a doubtful one until it is answered, or `wait_ms` of newer audio has come.

    Time is the audio's own: a frame that starts `wait_ms` after a doubtful one settles it by its leaning.
    """

    __slots__ = ("_deliver", "_frames", "_wait_ms")

    def __init__(self, wait_ms: int, deliver: Callable[[int, bool], None]) -> None:
        self._wait_ms = wait_ms
        self._deliver = deliver
        self._frames: deque[_Frame] = deque()

    def put_sure(self, pts_ms: int, voiced: bool) -> None:
        """The next frame; pts must grow from call to call."""
        self._settle_before(pts_ms)
        if self._frames:
            self._frames.append(_Frame(pts_ms, voiced, settled=True))
        else:
            self._deliver(pts_ms, voiced)

    def put_doubtful(self, pts_ms: int, leaning: bool) -> None:
        """The next frame, to be answered later by `answer`."""
        self._settle_before(pts_ms)
        self._frames.append(_Frame(pts_ms, leaning, settled=False))

    def answer(self, pts_ms: int, voiced: bool | None) -> bool:
        """Settles a doubtful frame (None = by its leaning); False when it was settled before."""
        for frame in self._frames:
            if frame.pts_ms == pts_ms and not frame.settled:
                frame.settled = True
                frame.voiced = frame.voiced if voiced is None else voiced
                self._deliver_settled()
                return True
        return False

    def settle_all(self) -> None:
        """Nothing more will be answered: what waits goes by its leaning."""
        for frame in self._frames:
            frame.settled = True
        self._deliver_settled()

    def _settle_before(self, pts_ms: int) -> None:
        for frame in self._frames:
            if frame.pts_ms > pts_ms - self._wait_ms:
                break
            frame.settled = True
        self._deliver_settled()

    def _deliver_settled(self) -> None:
        while self._frames and self._frames[0].settled:
            frame = self._frames.popleft()
            self._deliver(frame.pts_ms, frame.voiced)
