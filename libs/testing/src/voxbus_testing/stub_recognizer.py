"""The stub recognizer: it takes a fixed time and gives the words it was told, so that a benchmark measures the rest.

Chosen by `transcriber: {provider: "stub", labels: [...]}` where VOXBUS_STUB_PROVIDERS is set. `labels` are in ms after
the first loud sample of a stretch of speech, and are heard again in every stretch.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar, Final

from voxbus_audio import FRAME_MS, peak
from voxbus_contracts.assistant import WordLabel
from voxbus_providers.recognizer import (
    HeardFrame,
    Hearing,
    Recognizer,
    RecognizerCapabilities,
    RecognizerRequest,
    RecognizerSession,
)

PARTIALS_BEHIND_MS: Final = 50
"""From the frame that ends a word to the partial hearing with it."""
FINAL_AFTER_MS: Final = 50
"""From the flush to the final hearing."""
LOUD: Final = 300
LEAST_LOUD_MS: Final = 100
"""Shorter sound has no words."""


class StubSession(RecognizerSession):
    """One call. `filled` frames are silence."""

    def __init__(self, labels: Sequence[WordLabel]) -> None:
        self._labels = sorted(labels, key=lambda label: label.end_ms)
        self._first_pts_ms: int | None = None
        self._onset_pts_ms: int | None = None
        self._end_pts_ms = 0
        self._loud_ms = 0
        self._said = 0
        self._ready: asyncio.Queue[Hearing | None] = asyncio.Queue()

    def push(self, frame: HeardFrame) -> None:
        self._end_pts_ms = frame.pts_ms + FRAME_MS
        if self._first_pts_ms is None:
            self._first_pts_ms = frame.pts_ms
        if self._loud_ms < LEAST_LOUD_MS and not frame.filled and peak(frame.pcm) > LOUD:
            self._loud_ms += FRAME_MS
            if self._onset_pts_ms is None:
                self._onset_pts_ms = frame.pts_ms
        words = self._words_by_now()
        if words > self._said and self._loud_ms >= LEAST_LOUD_MS:
            self._said = words
            self._say(self._hearing(final=False), PARTIALS_BEHIND_MS)

    def flush(self) -> None:
        self._say(self._hearing(final=True), FINAL_AFTER_MS)
        self._first_pts_ms = self._onset_pts_ms = None
        self._loud_ms = self._said = 0

    async def hearings(self) -> AsyncIterator[Hearing]:
        while (hearing := await self._ready.get()) is not None:
            yield hearing

    async def close(self) -> None:
        self._ready.put_nowait(None)

    def _words_by_now(self) -> int:
        """Words that have ended."""
        if self._onset_pts_ms is None:
            return 0
        said_ms, words = self._end_pts_ms - self._onset_pts_ms, self._said
        while words < len(self._labels) and self._labels[words].end_ms <= said_ms:
            words += 1
        return words

    def _hearing(self, final: bool) -> Hearing:
        text = " ".join(label.text for label in self._labels[: self._said])
        start_pts_ms = self._end_pts_ms if self._first_pts_ms is None else self._first_pts_ms
        return Hearing(text, final, start_pts_ms, self._end_pts_ms)

    def _say(self, hearing: Hearing, after_ms: int) -> None:
        asyncio.get_running_loop().call_later(after_ms / 1_000, self._ready.put_nowait, hearing)


class StubRecognizer(Recognizer):
    """Asks nothing of the machine."""

    name: ClassVar[str] = "stub"
    capabilities: ClassVar[RecognizerCapabilities] = RecognizerCapabilities(partials=True)

    async def open(self, request: RecognizerRequest) -> RecognizerSession:
        return StubSession(request.transcriber.labels)

    async def close(self) -> None:
        """Nothing is kept."""
