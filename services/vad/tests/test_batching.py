"""Asks of many calls are answered together, beside the event loop."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from voxbus_audio import SILENCE_FRAME
from voxbus_vad.batching import Batcher, SileroOpinion
from voxbus_vad.errors import SileroFailed
from voxbus_vad.silero import Ask, CallerMemory, Trail

NO_TICK_MS = 0.0
LONG_TICK_MS = 60_000.0


class CountingModel:
    """Scores an ask by its position; remembers its batches and can be held up."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: set[int] = set()
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()

    def scores(self, asks: Sequence[Ask]) -> list[float]:
        self.batches.append(len(asks))
        self.threads.add(threading.get_ident())
        self.entered.set()
        assert self.go.wait(10)
        return [ask.end_samples / 1_000 for ask in asks]


class BrokenModel:
    def scores(self, asks: Sequence[Ask]) -> list[float]:
        raise SileroFailed("no memory")


def an_ask(n: int, trail: Trail | None = None) -> Ask:
    return Ask(trail or Trail(), b"", n)


class Answers:
    """Collects scores and says when all are there."""

    def __init__(self, expected: int) -> None:
        self.scores: dict[int, float | None] = {}
        self._expected = expected
        self._complete = asyncio.Event()

    def of(self, n: int) -> Callable[[float | None], None]:
        def take(score: float | None) -> None:
            self.scores[n] = score
            if len(self.scores) == self._expected:
                self._complete.set()

        return take

    async def complete(self) -> None:
        async with asyncio.timeout(10):
            await self._complete.wait()


@asynccontextmanager
async def running(batcher: Batcher) -> AsyncGenerator[Batcher]:
    task = asyncio.get_running_loop().create_task(batcher.run())
    try:
        yield batcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_asks_of_one_tick_are_one_inference_in_another_thread() -> None:
    model, answers = CountingModel(), Answers(20)
    async with running(Batcher(model, NO_TICK_MS, 64)) as batcher:
        for n in range(20):
            batcher.ask(an_ask(n), answers.of(n))
        await answers.complete()
    assert model.batches == [20]
    assert answers.scores == {n: n / 1_000 for n in range(20)}
    assert threading.get_ident() not in model.threads


async def test_a_full_batch_does_not_wait_for_the_tick() -> None:
    model, answers = CountingModel(), Answers(8)
    async with running(Batcher(model, LONG_TICK_MS, 8)) as batcher:
        for n in range(8):
            batcher.ask(an_ask(n), answers.of(n))
        await answers.complete()
    assert model.batches == [8]


async def test_asks_during_an_inference_go_into_the_next_one_and_the_loop_stays_free() -> None:
    model, answers = CountingModel(), Answers(6)
    model.go.clear()
    async with running(Batcher(model, NO_TICK_MS, 64)) as batcher:
        batcher.ask(an_ask(0), answers.of(0))
        assert await asyncio.to_thread(model.entered.wait, 10)
        for n in range(1, 6):
            batcher.ask(an_ask(n), answers.of(n))
        model.go.set()
        await answers.complete()
    assert model.batches == [1, 5]
    assert len(model.threads) == 1


async def test_more_asks_than_the_limit_are_split() -> None:
    model, answers = CountingModel(), Answers(10)
    async with running(Batcher(model, NO_TICK_MS, 4)) as batcher:
        for n in range(10):
            batcher.ask(an_ask(n), answers.of(n))
        await answers.complete()
    assert model.batches == [4, 4, 2]


async def test_two_asks_of_one_call_are_never_in_one_inference() -> None:
    model, answers, trail = CountingModel(), Answers(3), Trail()
    async with running(Batcher(model, NO_TICK_MS, 64)) as batcher:
        batcher.ask(an_ask(0, trail), answers.of(0))
        batcher.ask(an_ask(1, trail), answers.of(1))
        batcher.ask(an_ask(2), answers.of(2))
        await answers.complete()
    assert model.batches == [2, 1]


async def test_a_failed_inference_answers_none_and_the_next_is_tried() -> None:
    answers = Answers(2)
    async with running(Batcher(BrokenModel(), NO_TICK_MS, 64)) as batcher:
        batcher.ask(an_ask(0), answers.of(0))
        await asyncio.sleep(0)
        batcher.ask(an_ask(1), answers.of(1))
        await answers.complete()
    assert answers.scores == {0: None, 1: None}


@pytest.mark.parametrize(("end_frames", "voiced"), [(1, False), (2, True)])
async def test_the_threshold_turns_a_score_into_a_verdict(end_frames: int, voiced: bool) -> None:
    """The counting model's score is 0.32 for each remembered frame."""
    heard: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()

    def answer(verdict: bool | None) -> bool:
        heard.set_result(verdict)
        return True

    async with running(Batcher(CountingModel(), NO_TICK_MS, 64)) as batcher:
        opinion = SileroOpinion(batcher, 0.5)
        for n in range(end_frames):
            opinion.remember(n * 20, SILENCE_FRAME)
        opinion.ask(answer)
        async with asyncio.timeout(10):
            assert await heard is voiced


def test_a_memory_pads_its_beginning_with_silence_and_forgets_over_a_gap() -> None:
    memory = CallerMemory()
    memory.remember(0, b"\1" * 640)
    first = memory.ask()
    memory.remember(20, b"\2" * 640)
    assert memory.ask().trail is first.trail
    assert first.audio.rstrip(b"\1") == bytes(len(first.audio) - 640)
    memory.remember(500, b"\3" * 640)
    after = memory.ask()
    assert after.trail is not first.trail
    assert after.audio.rstrip(b"\3") == bytes(len(after.audio) - 640)
