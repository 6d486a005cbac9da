"""The position recognizer is an honest instrument."""

from collections.abc import AsyncIterator

import pytest

from voxbus_contracts.assistant import Transcriber, WordLabel
from voxbus_providers.recognizer import HeardFrame, Recognizer
from voxbus_testing.conformance import RecognizerConformance, frames_of, recognized
from voxbus_testing.position import PositionRecognizer, PositionSession

LABELS = (
    WordLabel(text="where", start_ms=1_000, end_ms=1_200),
    WordLabel(text="is", start_ms=1_210, end_ms=1_290),
    WordLabel(text="it", start_ms=1_300, end_ms=1_400),
)


def frames(from_ms: int, upto_ms: int, filled: bool = False) -> list[HeardFrame]:
    return [HeardFrame(pts_ms, bytes(640), filled) for pts_ms in range(from_ms, upto_ms, 20)]


async def final_text(*pushed: list[HeardFrame]) -> str:
    session = PositionSession(LABELS)
    return (await recognized(session, [frame for part in pushed for frame in part]))[-1].text


async def test_words_are_heard_where_their_audio_is() -> None:
    assert await final_text(frames(900, 1_500)) == "where is it"


async def test_a_word_is_heard_twice_when_its_audio_comes_twice() -> None:
    assert await final_text(frames(900, 1_300), frames(1_240, 1_500)) == "where is is it"


async def test_a_word_is_missing_when_its_audio_never_comes() -> None:
    assert await final_text(frames(900, 1_240), frames(1_260, 1_500)) == "where it"


async def test_a_word_belongs_to_the_one_frame_that_covers_its_midpoint() -> None:
    assert await final_text(frames(900, 1_100)) == ""
    assert await final_text(frames(1_100, 1_120)) == "where"
    assert await final_text(frames(1_120, 1_240)) == ""


async def test_filled_frames_say_nothing() -> None:
    assert await final_text(frames(900, 1_200), frames(1_200, 1_300, filled=True), frames(1_300, 1_500)) == "where it"


async def test_a_word_that_came_late_behind_filled_frames_is_heard_with_the_sound_before_its_end() -> None:
    late = frames(900, 1_240), frames(1_240, 1_260, filled=True), frames(1_260, 1_500)
    assert await final_text(*late) == "where is it"


async def test_words_come_in_the_order_of_the_audio_pushed() -> None:
    assert await final_text(frames(1_200, 1_500), frames(1_000, 1_200)) == "is it where"


async def test_partials_grow_word_by_word_and_end_with_their_frame() -> None:
    heard = await recognized(PositionSession(LABELS), frames(1_000, 1_400))
    assert [(hearing.text, hearing.final, hearing.end_pts_ms) for hearing in heard] == [
        ("where", False, 1_120),
        ("where is", False, 1_260),
        ("where is it", False, 1_360),
        ("where is it", True, 1_400),
    ]


class TestConformance(RecognizerConformance):
    @pytest.fixture
    async def recognizer(self) -> AsyncIterator[Recognizer]:
        engine = PositionRecognizer()
        await engine.start()
        yield engine
        await engine.close()

    @pytest.fixture
    def transcriber(self) -> Transcriber:
        return Transcriber(model="position", labels=LABELS)

    @pytest.fixture
    def speech(self) -> list[HeardFrame]:
        return frames_of(bytes(640 * 60), start_pts_ms=600)
