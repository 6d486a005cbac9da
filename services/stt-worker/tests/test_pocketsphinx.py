"""PocketSphinx in its child processes: the suite of all recognizers, many calls on few decoders, real recordings."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voxbus_audio import read_audio_16k
from voxbus_contracts.assistant import Transcriber
from voxbus_providers.recognizer import HeardFrame, Recognizer, RecognizerRequest
from voxbus_stt_worker.providers.pocketsphinx import PocketsphinxRecognizer
from voxbus_testing.conformance import RecognizerProcessConformance, frames_of, hearings_upto_final, recognized
from voxbus_testing.vowels import vowels

SPEECH = Path(os.environ.get("VOXBUS_SPEECH_DIR", Path(__file__).parents[4] / "shared" / "speech"))
CLEAR_CLIPS = (
    "azure-whatstheweatherlike",
    "leopard-test",
    "lhotse-lj002-0020",
    "lhotse-lj002-0035",
    "mfa-61-70968-0000",
    "mfa-mfa-longstop",
    "mlzoo-84-121550-0000",
    "pocketsphinx-cards-003",
)
WORD_ERROR_BOUND = 0.4


@pytest.fixture
async def pocketsphinx() -> AsyncIterator[PocketsphinxRecognizer]:
    engine = PocketsphinxRecognizer(processes=1, decoders_per_process=2)
    await engine.start()
    yield engine
    await engine.close()


class TestConformance(RecognizerProcessConformance):
    @pytest.fixture
    async def recognizer(self, pocketsphinx: PocketsphinxRecognizer) -> Recognizer:
        return pocketsphinx

    @pytest.fixture
    def speech(self) -> list[HeardFrame]:
        return frames_of(vowels(), start_pts_ms=4_000)

    def kill_engine(self, recognizer: Recognizer) -> None:
        assert isinstance(recognizer, PocketsphinxRecognizer)
        for child in recognizer.children:
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)


async def test_more_calls_than_decoders_are_all_served(pocketsphinx: PocketsphinxRecognizer) -> None:
    sessions = [await pocketsphinx.open(RecognizerRequest(Transcriber())) for _ in range(5)]
    for frame in frames_of(vowels(0.3)):
        for session in sessions:
            session.push(frame)
    for session in sessions:
        session.flush()
    texts = [(await hearings_upto_final(session))[-1].text for session in sessions]
    assert len(set(texts)) == 1
    assert texts[0]
    for session in sessions:
        await session.close()


async def test_a_call_that_hangs_up_in_mid_word_gives_its_decoder_back(pocketsphinx: PocketsphinxRecognizer) -> None:
    for _ in range(4):
        session = await pocketsphinx.open(RecognizerRequest(Transcriber()))
        for frame in frames_of(vowels(0.3)):
            session.push(frame)
        await session.close()
    session = await pocketsphinx.open(RecognizerRequest(Transcriber()))
    assert (await recognized(session, frames_of(vowels(0.3))))[-1].text
    await session.close()


async def test_calls_are_spread_over_the_processes() -> None:
    engine = PocketsphinxRecognizer(processes=2, decoders_per_process=1)
    await engine.start()
    try:
        sessions = [await engine.open(RecognizerRequest(Transcriber())) for _ in range(4)]
        assert [child.load for child in engine.children] == [2, 2]
        for session in sessions:
            await session.close()
        assert [child.load for child in engine.children] == [0, 0]
    finally:
        await engine.close()


@pytest.mark.speech
async def test_clear_speech_is_recognized_within_the_stated_word_error_bound(
    pocketsphinx: PocketsphinxRecognizer,
) -> None:
    """Each clip is a call of its own, fed as a call feeds it: 300 ms before the speech to 200 ms behind it."""
    if not (SPEECH / "manifest.jsonl").is_file():
        pytest.skip(f"no recordings in {SPEECH} (VOXBUS_SPEECH_DIR)")
    rows = {
        row["id"]: row for line in (SPEECH / "manifest.jsonl").read_text().splitlines() if (row := json.loads(line))
    }
    wrong = total = 0
    async with asyncio.timeout(50):
        for clip in CLEAR_CLIPS:
            row = rows[clip]
            pcm = read_audio_16k(SPEECH / row["path"])
            first_ms = max(0, int(row["vad_silero"][0][0] * 1_000) - 300)
            last_ms = int(row["vad_silero"][-1][1] * 1_000) + 200
            session = await pocketsphinx.open(RecognizerRequest(Transcriber()))
            heard = await recognized(session, frames_of(pcm[first_ms * 32 : last_ms * 32]))
            await session.close()
            spoken = words_of(row["transcript"])
            wrong += word_errors(spoken, words_of(heard[-1].text))
            total += len(spoken)
            assert any(not hearing.final for hearing in heard) or len(spoken) < 4
    assert wrong / total <= WORD_ERROR_BOUND, f"{wrong} of {total} words"


def words_of(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", " ", text.lower()).split()


def word_errors(spoken: list[str], heard: list[str]) -> int:
    """Insertions, deletions and substitutions: the edit distance."""
    row = list(range(len(heard) + 1))
    for at, word in enumerate(spoken, 1):
        before, row[0] = row[0], at
        for n, other in enumerate(heard, 1):
            before, row[n] = row[n], min(row[n] + 1, row[n - 1] + 1, before + (word != other))
    return row[-1]


def test_word_errors_are_counted_as_edits() -> None:
    assert word_errors(["a", "b", "c"], ["a", "x", "c", "d"]) == 2
    assert word_errors([], ["a"]) == 1
    assert word_errors(["a", "b"], []) == 2
