"""The position recognizer: its words are given by labels and by where the audio it really received lies.

The honest instrument of load, failover and no-word-lost tests: a word whose audio came twice is heard twice, a word
whose audio never came is missing, and words come in the order in which their audio was pushed. It repairs nothing.
"""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar, Final

from voxbus_contracts.assistant import WordLabel
from voxbus_providers.recognizer import (
    HeardFrame,
    Hearing,
    Recognizer,
    RecognizerCapabilities,
    RecognizerRequest,
    RecognizerSession,
)

FRAME_MS: Final = 20


def _midpoint_ms(label: WordLabel) -> int:
    return (label.start_ms + label.end_ms) // 2


class PositionSession(RecognizerSession):
    """One call. A frame that covers a label's midpoint says the word; `filled` frames are silence and say nothing.

    A caller that is late shifts its sound behind the silence filled in: a word whose midpoint was filled is said with
    the next sound before its end.
    """

    def __init__(self, labels: Sequence[WordLabel]) -> None:
        self._labels = sorted(labels, key=_midpoint_ms)
        self._midpoints_ms = [_midpoint_ms(label) for label in self._labels]
        self._filled_over: list[WordLabel] = []
        self._words: list[str] = []
        self._start_pts_ms: int | None = None
        self._end_pts_ms = 0
        self._ready: asyncio.Queue[Hearing | None] = asyncio.Queue()
        self._closed = False

    def push(self, frame: HeardFrame) -> None:
        if self._start_pts_ms is None:
            self._start_pts_ms = frame.pts_ms
        self._end_pts_ms = frame.pts_ms + FRAME_MS
        first = bisect_left(self._midpoints_ms, frame.pts_ms)
        after = bisect_left(self._midpoints_ms, frame.pts_ms + FRAME_MS)
        if frame.filled:
            self._filled_over += self._labels[first:after]
            return
        heard = [label.text for label in self._filled_over if label.end_ms > frame.pts_ms]
        heard += [label.text for label in self._labels[first:after]]
        self._filled_over = []
        if heard:
            self._words += heard
            self._say(final=False)

    def flush(self) -> None:
        self._say(final=True)
        self._words = []
        self._start_pts_ms = None

    async def hearings(self) -> AsyncIterator[Hearing]:
        while (hearing := await self._ready.get()) is not None:
            yield hearing

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._ready.put_nowait(None)

    def _say(self, final: bool) -> None:
        start_pts_ms = self._end_pts_ms if self._start_pts_ms is None else self._start_pts_ms
        self._ready.put_nowait(Hearing(" ".join(self._words), final, start_pts_ms, self._end_pts_ms))


class PositionRecognizer(Recognizer):
    """Chosen by `transcriber: {provider: "vapi", model: "position", labels: [...]}`; labels are in ms of pts."""

    name: ClassVar[str] = "position"
    capabilities: ClassVar[RecognizerCapabilities] = RecognizerCapabilities(partials=True)

    async def open(self, request: RecognizerRequest) -> RecognizerSession:
        return PositionSession(request.transcriber.labels)

    async def close(self) -> None:
        """Nothing is kept."""
