"""The stub recognizer keeps its times and knows its words only from sound."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from voxbus_audio import SILENCE_FRAME, sine
from voxbus_contracts.assistant import Transcriber, WordLabel
from voxbus_providers.recognizer import HeardFrame, Recognizer
from voxbus_testing.conformance import RecognizerConformance, frames_of, recognized
from voxbus_testing.stub_recognizer import StubRecognizer, StubSession

LABELS = tuple(WordLabel(text=text, start_ms=at * 200, end_ms=at * 200 + 200) for at, text in enumerate("abc"))
LOUD = sine(440, 600)


async def test_words_count_from_the_first_loud_sample_in_every_stretch() -> None:
    session = StubSession(LABELS)
    first = await recognized(session, frames_of(SILENCE_FRAME * 10 + LOUD))
    second = await recognized(session, frames_of(SILENCE_FRAME * 3 + LOUD, 5_000))
    texts = [(hearing.text, hearing.final) for hearing in first]
    assert texts == [("a", False), ("a b", False), ("a b c", False), ("a b c", True)]
    assert [hearing.text for hearing in second] == [hearing.text for hearing in first]
    assert [hearing.end_pts_ms for hearing in second] == [5_260, 5_460, 5_660, 5_660]


async def test_words_that_were_not_said_to_the_end_are_not_heard() -> None:
    assert (await recognized(StubSession(LABELS), frames_of(LOUD[: 370 * 32])))[-1].text == "a"


async def test_a_click_has_no_words() -> None:
    assert (await recognized(StubSession(LABELS), frames_of(LOUD[: 80 * 32] + SILENCE_FRAME * 40)))[-1].text == ""


async def test_filled_frames_are_silence() -> None:
    frames = [HeardFrame(frame.pts_ms, frame.pcm, filled=True) for frame in frames_of(LOUD)]
    assert (await recognized(StubSession(LABELS), frames))[-1].text == ""


async def test_a_final_comes_fifty_milliseconds_after_its_flush() -> None:
    session = StubSession(LABELS)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await recognized(session, frames_of(LOUD))
    assert loop.time() - began_s >= 0.05


class TestConformance(RecognizerConformance):
    @pytest.fixture
    async def recognizer(self) -> AsyncIterator[Recognizer]:
        yield StubRecognizer()

    @pytest.fixture
    def transcriber(self) -> Transcriber:
        return Transcriber(provider="stub", labels=LABELS)

    @pytest.fixture
    def speech(self) -> list[HeardFrame]:
        return frames_of(sine(440, 1_000), start_pts_ms=600)
