"""Language models of assistants in pocketsphinx: made once, shared, done without when they cannot be made."""

import asyncio
import gc
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest

from voxbus_contracts.assistant import Transcriber
from voxbus_providers.recognizer import HeardFrame, Recognizer, RecognizerRequest, RecognizerSession
from voxbus_providers.terms import NO_TERMS, RecognitionTerms
from voxbus_stt_worker.language.build import model_key
from voxbus_stt_worker.providers.pocketsphinx import PocketsphinxRecognizer
from voxbus_stt_worker.providers.pocketsphinx_builder_child import Builder
from voxbus_stt_worker.providers.pocketsphinx_decoders import Decoders
from voxbus_stt_worker.providers.pocketsphinx_models import DomainModels
from voxbus_stt_worker.providers.pocketsphinx_wire import ARPA, GENERAL
from voxbus_testing.conformance import RecognizerConformance, frames_of, recognized
from voxbus_testing.vowels import vowels

TERMS = RecognitionTerms(groups=(("oat milk", "zyxcoffee"), ("small", "large")))
SET_UP_COSTS = 12
"""How many times the CPU time of loading the general model one of a domain may take (300 ms where that takes 25)."""


def order(folder: str) -> bytes:
    return json.dumps({"folder": folder, "terms": asdict(TERMS)}).encode()


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[DomainModels]:
    made = DomainModels(tmp_path / "models")
    made.start()
    yield made
    await made.close()


@pytest.fixture
async def biased(tmp_path: Path) -> AsyncIterator[PocketsphinxRecognizer]:
    engine = PocketsphinxRecognizer(processes=1, decoders_per_process=1, models=tmp_path / "models")
    await engine.start()
    yield engine
    await engine.close()


class TestConformanceWithADomain(RecognizerConformance):
    """The suite of all recognizers, with the model of an assistant whose callers say vowels."""

    @pytest.fixture
    async def recognizer(self, biased: PocketsphinxRecognizer) -> AsyncIterator[Recognizer]:
        yield Biased(biased)

    @pytest.fixture
    def speech(self) -> list[HeardFrame]:
        return frames_of(vowels(), start_pts_ms=4_000)


class Biased(PocketsphinxRecognizer):
    """Adds the terms to every request."""

    def __init__(self, engine: PocketsphinxRecognizer) -> None:
        super().__init__(processes=1)
        self._engine = engine

    async def open(self, request: RecognizerRequest) -> RecognizerSession:
        terms = RecognitionTerms(groups=(("ah", "oh", "e", "a", "i owe you", "who are we"),))
        return await self._engine.open(RecognizerRequest(request.transcriber, terms))


async def test_calls_of_one_assistant_share_one_model_which_outlives_the_service(tmp_path: Path) -> None:
    first, second = DomainModels(tmp_path / "models"), DomainModels(tmp_path / "models")
    first.start()
    try:
        folders = await asyncio.gather(*(first.folder(TERMS) for _ in range(5)))
        assert set(folders) == {str(tmp_path / "models" / model_key(TERMS))}
        written = (Path(folders[0]) / ARPA).stat().st_mtime_ns
        assert await second.folder(TERMS) == folders[0], "needs no builder: the folder is there"
        assert (Path(folders[0]) / ARPA).stat().st_mtime_ns == written
    finally:
        await first.close()
        await second.close()


async def test_an_assistant_without_a_domain_has_the_general_model_and_asks_nobody(models: DomainModels) -> None:
    assert await models.folder(NO_TERMS) == GENERAL
    assert await models.folder(RecognitionTerms(background=("dental",), expected=("digits",))) == GENERAL


async def test_a_folder_that_cannot_be_written_leaves_the_general_model(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    models = DomainModels(tmp_path / "models")
    models.start()
    try:
        assert await models.folder(TERMS) == GENERAL
    finally:
        await models.close()


async def test_a_builder_that_was_killed_is_started_again_for_the_next_call(models: DomainModels) -> None:
    await models.folder(TERMS)
    pid = models.builder.pid
    assert pid is not None
    os.kill(pid, 9)
    other = RecognitionTerms(groups=(("tea",),))
    async with asyncio.timeout(30):
        while await models.folder(other) == GENERAL:
            await asyncio.sleep(0.05)


def test_a_model_is_set_up_within_the_stated_time(tmp_path: Path) -> None:
    """In processor time, for the machine of a test may be busy, and beside the same machine's time for the general."""
    builder = Builder()
    decoders = Decoders(1)
    spent: list[float] = []
    general: list[float] = []
    gc.freeze()  # the builder's own process is not full of what other tests have left
    for number in range(3):
        folder = str(tmp_path / str(number))
        began_s = time.process_time()
        Decoders(1).lend(GENERAL)
        loaded_s = time.process_time()
        builder.build(order(folder))
        decoders.lend(folder)
        general.append(loaded_s - began_s)
        spent.append(time.process_time() - loaded_s)
    gc.unfreeze()
    assert min(spent) <= SET_UP_COSTS * min(general), f"{spent} s, the general model {general} s"


def test_decoders_of_domains_are_bounded_and_the_one_used_longest_ago_makes_room(tmp_path: Path) -> None:
    builder = Builder()
    folders = [str(tmp_path / str(number)) for number in range(5)]
    for folder in folders:
        builder.build(order(folder))
    decoders = Decoders(1)
    lent = [decoders.lend(folder) for folder in folders]
    assert [decoder is not None for decoder in lent] == [True] * 4 + [False]
    assert lent[0] is not None
    decoders.give_back(folders[0], lent[0])
    assert decoders.lend(folders[4]) is not None
    assert decoders.lend(folders[0]) is None
    assert decoders.lend(GENERAL) is not None
    assert decoders.lend(GENERAL) is None


def test_a_decoder_is_made_ahead_for_a_model_calls_are_open_with(tmp_path: Path) -> None:
    Builder().build(order(str(tmp_path / "one")))
    decoders = Decoders(2)
    decoders.prepare(Counter({str(tmp_path / "one"): 1, str(tmp_path / "missing"): 1}))
    assert decoders.made(str(tmp_path / "one")) == 1
    decoders.prepare(Counter({str(tmp_path / "one"): 1}))
    assert decoders.made(str(tmp_path / "one")) == 1
    decoders.prepare(Counter({GENERAL: 2}))
    assert decoders.made(GENERAL) == 2


async def test_a_broken_model_folder_is_heard_with_the_general_model(
    biased: PocketsphinxRecognizer, tmp_path: Path
) -> None:
    folder = tmp_path / "models" / model_key(TERMS)
    folder.mkdir(parents=True)
    (folder / ARPA).write_text("no model at all")
    session = await biased.open(RecognizerRequest(Transcriber(), TERMS))
    assert (await recognized(session, frames_of(vowels())))[-1].text
    await session.close()
