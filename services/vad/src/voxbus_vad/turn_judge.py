"""The turn model asked by all calls of a process, one after the other in a thread beside the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from voxbus_vad import metrics
from voxbus_vad.errors import TurnModelFailed


class Judging(Protocol):
    """What is asked: the model, or a fake of it."""

    def probability(self, audio: bytes) -> float:
        """That the turn is over; raises TurnModelFailed."""
        ...


class TurnJudge:
    """At most `waiting` asks wait; nobody is kept waiting for one that comes too late anyway."""

    def __init__(self, model: Judging, waiting: int) -> None:
        self._model = model
        self._waiting = waiting
        self._asked = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="turn-model")

    async def finished(self, audio: bytes) -> float | None:
        """Probability that the turn is over, for 8 s of s16le at 16 kHz; None = not judged."""
        if self._asked > self._waiting:
            metrics.TURN_MODEL_SKIPPED.labels("busy").inc()
            return None
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._asked += 1
        try:
            return await loop.run_in_executor(self._thread, self._model.probability, audio)
        except TurnModelFailed:
            metrics.TURN_MODEL_SKIPPED.labels("failed").inc()
            return None
        finally:
            self._asked -= 1
            metrics.TURN_MODEL_SECONDS.observe(loop.time() - began_s)
