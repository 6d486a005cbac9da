"""Silero asked by all calls of a process together: one inference per tick, in one thread beside the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

from voxbus_vad import metrics
from voxbus_vad.errors import SileroFailed
from voxbus_vad.silero import Ask, CallerMemory

AnswerScore = Callable[[float | None], None]


class Scorer(Protocol):
    """What answers a batch: the model, or a fake of it."""

    def scores(self, asks: Sequence[Ask]) -> list[float]:
        """One score per ask, in order; raises SileroFailed."""
        ...


class Batcher:
    """Collects asks for `tick_ms` after the first, or until `limit` wait, and answers them together on the loop."""

    def __init__(self, model: Scorer, tick_ms: float, limit: int) -> None:
        self._model = model
        self._tick_s = tick_ms / 1_000
        self._limit = limit
        self._asks: list[tuple[Ask, AnswerScore]] = []
        self._first_at_s = 0.0
        self._asked = asyncio.Event()
        self._full = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="silero")

    def ask(self, ask: Ask, answer: AnswerScore) -> None:
        """`answer` is called on the loop with the score, or with None when the model failed."""
        if not self._asks:
            self._first_at_s = asyncio.get_running_loop().time()
            self._asked.set()
        self._asks.append((ask, answer))
        if len(self._asks) >= self._limit:
            self._full.set()

    async def run(self) -> None:
        """Answers asks until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._asked.wait()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._first_at_s + self._tick_s):
                        await self._full.wait()
                await self._answer(self._take(), loop)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, batch: list[tuple[Ask, AnswerScore]], loop: asyncio.AbstractEventLoop) -> None:
        metrics.SILERO_BATCH.observe(len(batch))
        scores: Sequence[float | None]
        try:
            scores = await loop.run_in_executor(self._thread, self._model.scores, [ask for ask, _ in batch])
        except SileroFailed:
            metrics.SILERO_FAILURES.inc()
            scores = [None] * len(batch)
        for (_, answer), score in zip(batch, scores, strict=True):
            answer(score)

    def _take(self) -> list[tuple[Ask, AnswerScore]]:
        """Up to `limit` asks, one per call: a later ask of a call goes on where the earlier one ends."""
        batch: list[tuple[Ask, AnswerScore]] = []
        left: list[tuple[Ask, AnswerScore]] = []
        trails: set[int] = set()
        for asked in self._asks:
            trail = id(asked[0].trail)
            if len(batch) < self._limit and trail not in trails:
                trails.add(trail)
                batch.append(asked)
            else:
                left.append(asked)
        self._asks = left
        if len(left) < self._limit:
            self._full.clear()
        if not left:
            self._asked.clear()
        return batch


class SileroOpinion:
    """One call's access to the batcher."""

    __slots__ = ("_batcher", "_memory", "_threshold")

    def __init__(self, batcher: Batcher, threshold: float) -> None:
        self._batcher = batcher
        self._threshold = threshold
        self._memory = CallerMemory()

    def remember(self, pts_ms: int, pcm: bytes) -> None:
        """Every frame passes here in order."""
        self._memory.remember(pts_ms, pcm)

    def ask(self, answer: Callable[[bool | None], bool]) -> None:
        """Asks about the frame remembered last."""

        def scored(score: float | None) -> None:
            counted = answer(None if score is None else score >= self._threshold)
            metrics.UNSURE_FRAMES.labels("silero" if counted and score is not None else "cheap").inc()

        self._batcher.ask(self._memory.ask(), scored)
