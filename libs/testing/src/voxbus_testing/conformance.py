"""What every recognizer and every voice must do; one subclass per engine.

A subclass gives the fixtures that fail here, and pytest runs all of the suite on them:

    class TestPosition(RecognizerConformance):
        @pytest.fixture
        async def recognizer(self) -> AsyncIterator[Recognizer]: ...
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from itertools import pairwise
from typing import Final

import pytest

from voxbus_contracts.assistant import Transcriber
from voxbus_providers.errors import ProviderUnavailable
from voxbus_providers.recognizer import HeardFrame, Hearing, Recognizer, RecognizerRequest, RecognizerSession
from voxbus_providers.voice import Voice, VoiceChunk, VoiceRequest, WordTime

PATIENCE_S: Final = 20.0
_FRAME_BYTES: Final = 640
_FRAME_MS: Final = 20


def frames_of(pcm: bytes, start_pts_ms: int = 0) -> list[HeardFrame]:
    """PCM (mono s16le 16 kHz) as the frames a call brings; the last one is filled up with silence."""
    cut = [pcm[at : at + _FRAME_BYTES].ljust(_FRAME_BYTES, b"\0") for at in range(0, len(pcm), _FRAME_BYTES)]
    return [HeardFrame(start_pts_ms + number * _FRAME_MS, piece) for number, piece in enumerate(cut)]


async def recognized(session: RecognizerSession, frames: Sequence[HeardFrame]) -> list[Hearing]:
    """One stretch of speech: its partial hearings and the final one."""
    for frame in frames:
        session.push(frame)
    session.flush()
    return await hearings_upto_final(session)


async def hearings_upto_final(session: RecognizerSession) -> list[Hearing]:
    """What a session says until its next final hearing."""
    heard: list[Hearing] = []
    async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(_closable(session)) as hearings:
        async for hearing in hearings:
            heard.append(hearing)
            if hearing.final:
                return heard
    raise AssertionError("the session's hearings ended without a final one")


async def _closable(session: RecognizerSession) -> AsyncGenerator[Hearing, None]:
    hearings = session.hearings()
    try:
        async for hearing in hearings:
            yield hearing
    finally:
        if isinstance(hearings, AsyncGenerator):
            await hearings.aclose()


class RecognizerConformance:
    """Contract of `voxbus_providers.recognizer`."""

    @pytest.fixture
    async def recognizer(self) -> AsyncIterator[Recognizer]:
        """The engine, started; closed afterwards."""
        raise AssertionError("the subclass must give the fixture `recognizer`")
        yield  # pragma: no cover

    @pytest.fixture
    def transcriber(self) -> Transcriber:
        return Transcriber()

    @pytest.fixture
    def speech(self) -> list[HeardFrame]:
        """A stretch of speech of at least 1 s in which the engine understands something."""
        raise AssertionError("the subclass must give the fixture `speech`")

    async def test_a_flush_brings_exactly_one_final_hearing_with_the_words(
        self, recognizer: Recognizer, transcriber: Transcriber, speech: list[HeardFrame]
    ) -> None:
        session = await recognizer.open(RecognizerRequest(transcriber))
        heard = await recognized(session, speech)
        again = await recognized(session, [])
        assert heard[-1].text
        assert [hearing.final for hearing in heard].count(True) == 1
        assert [(hearing.final, hearing.text) for hearing in again] == [(True, "")]
        await session.close()

    async def test_hearings_lie_within_the_audio_that_was_pushed(
        self, recognizer: Recognizer, transcriber: Transcriber, speech: list[HeardFrame]
    ) -> None:
        session = await recognizer.open(RecognizerRequest(transcriber))
        for hearing in await recognized(session, speech):
            assert speech[0].pts_ms <= hearing.start_pts_ms <= hearing.end_pts_ms <= speech[-1].pts_ms + _FRAME_MS
        await session.close()

    async def test_partial_hearings_come_before_the_flush_where_the_engine_has_them(
        self, recognizer: Recognizer, transcriber: Transcriber, speech: list[HeardFrame]
    ) -> None:
        if not recognizer.capabilities.partials:
            return
        session = await recognizer.open(RecognizerRequest(transcriber))
        for frame in speech:
            session.push(frame)
        async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(_closable(session)) as hearings:
            first = await anext(hearings)
        assert not first.final
        assert first.text
        await session.close()

    async def test_a_final_hearing_says_nothing_of_the_stretch_before(
        self, recognizer: Recognizer, transcriber: Transcriber, speech: list[HeardFrame]
    ) -> None:
        session = await recognizer.open(RecognizerRequest(transcriber))
        await recognized(session, speech)
        silence = [HeardFrame(speech[-1].pts_ms + _FRAME_MS * n, bytes(_FRAME_BYTES)) for n in range(1, 26)]
        assert (await recognized(session, silence))[-1].text == ""
        await session.close()

    async def test_flushes_are_answered_in_order_when_nobody_waits_in_between(
        self, recognizer: Recognizer, transcriber: Transcriber, speech: list[HeardFrame]
    ) -> None:
        session = await recognizer.open(RecognizerRequest(transcriber))
        for _ in range(2):
            session.flush()
        for frame in speech:
            session.push(frame)
        session.flush()
        texts = [(await hearings_upto_final(session))[-1].text for _ in range(3)]
        assert texts[:2] == ["", ""]
        assert texts[2]
        await session.close()

    async def test_sessions_do_not_mix(
        self, recognizer: Recognizer, transcriber: Transcriber, speech: list[HeardFrame]
    ) -> None:
        speaking, silent = (
            await recognizer.open(RecognizerRequest(transcriber)),
            await recognizer.open(RecognizerRequest(transcriber)),
        )
        for frame in speech:
            speaking.push(frame)
            silent.push(HeardFrame(frame.pts_ms, bytes(_FRAME_BYTES), filled=True))
        speaking.flush()
        silent.flush()
        assert (await hearings_upto_final(silent))[-1].text == ""
        assert (await hearings_upto_final(speaking))[-1].text
        await speaking.close()
        await silent.close()

    async def test_hearings_end_when_the_session_is_closed(
        self, recognizer: Recognizer, transcriber: Transcriber, speech: list[HeardFrame]
    ) -> None:
        session = await recognizer.open(RecognizerRequest(transcriber))
        session.push(speech[0])
        await session.close()
        await session.close()
        async with asyncio.timeout(PATIENCE_S):
            assert [hearing async for hearing in session.hearings() if hearing.final] == []


class RecognizerProcessConformance(RecognizerConformance):
    """An engine in child processes; the subclass also gives `kill_engine`."""

    def kill_engine(self, recognizer: Recognizer) -> None:
        """kill -9 of every process of the engine."""
        raise AssertionError("the subclass must give `kill_engine`")

    async def test_sessions_fail_when_the_engine_is_killed_and_new_ones_work(
        self, recognizer: Recognizer, transcriber: Transcriber, speech: list[HeardFrame]
    ) -> None:
        session = await recognizer.open(RecognizerRequest(transcriber))
        for frame in speech:
            session.push(frame)
        self.kill_engine(recognizer)
        session.flush()
        with pytest.raises(ProviderUnavailable):
            await hearings_upto_final(session)
        await session.close()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(ProviderUnavailable):
                    again = await recognizer.open(RecognizerRequest(transcriber))
                    break
        assert (await recognized(again, speech))[-1].text
        await again.close()


async def spoken(voice: Voice, request: VoiceRequest) -> tuple[bytes, list[WordTime]]:
    """All samples and words of a sentence."""
    chunks: list[VoiceChunk] = []
    async with asyncio.timeout(PATIENCE_S):
        async for chunk in voice.synthesize(request):
            assert len(chunk.pcm) % 2 == 0, "half a sample"
            chunks.append(chunk)
    return b"".join(chunk.pcm for chunk in chunks), [word for chunk in chunks for word in chunk.words]


def _ms(pcm: bytes) -> float:
    return len(pcm) / 32


class VoiceConformance:
    """Contract of `voxbus_providers.voice`."""

    voice_id = ""
    sentence = "Your order ships on Friday."
    words = 5

    @pytest.fixture
    async def voice(self) -> AsyncIterator[Voice]:
        """The engine, started; closed afterwards."""
        raise AssertionError("the subclass must give the fixture `voice`")
        yield  # pragma: no cover

    @pytest.fixture
    async def other_voice(self) -> AsyncIterator[Voice]:
        """A second, independent instance: the voice of another worker."""
        raise AssertionError("the subclass must give the fixture `other_voice`")
        yield  # pragma: no cover

    def request(self, text: str | None = None, speed: float = 1.0) -> VoiceRequest:
        return VoiceRequest(self.sentence if text is None else text, self.voice_id, speed)

    async def test_a_sentence_becomes_sound_of_plausible_length(self, voice: Voice) -> None:
        pcm, _ = await spoken(voice, self.request())
        assert 150 * self.words < _ms(pcm) < 1_000 * self.words
        assert max(pcm[1::2]) > 4, "silence"

    async def test_the_same_request_gives_the_same_samples_here_and_elsewhere(
        self, voice: Voice, other_voice: Voice
    ) -> None:
        first, _ = await spoken(voice, self.request())
        await spoken(voice, self.request("Something else, in between."))
        second, _ = await spoken(voice, self.request())
        elsewhere, _ = await spoken(other_voice, self.request())
        assert first == second == elsewhere

    async def test_words_lie_in_order_within_the_sound(self, voice: Voice) -> None:
        pcm, words = await spoken(voice, self.request())
        if not voice.capabilities.word_times:
            assert words == []
            return
        assert " ".join(word.text for word in words).rstrip(".") == self.sentence.rstrip(".")
        assert all(word.start_ms < word.end_ms for word in words)
        assert all(word.end_ms <= after.start_ms for word, after in pairwise(words))
        assert words[-1].end_ms <= _ms(pcm)

    async def test_speed_makes_it_shorter_or_longer(self, voice: Voice) -> None:
        fast, _ = await spoken(voice, self.request(speed=1.5))
        plain, _ = await spoken(voice, self.request())
        slow, _ = await spoken(voice, self.request(speed=0.7))
        assert len(fast) < 0.85 * len(plain)
        assert len(plain) < 0.85 * len(slow)

    async def test_a_sentence_that_is_cut_short_leaves_no_trace_in_the_next(self, voice: Voice) -> None:
        whole, _ = await spoken(voice, self.request())
        async with asyncio.timeout(PATIENCE_S):
            cut = voice.synthesize(self.request("This one is stopped by the caller after a moment. " * 20))
            await anext(cut)
            if isinstance(cut, AsyncGenerator):
                await cut.aclose()
        again, _ = await spoken(voice, self.request())
        assert again == whole

    async def test_sentences_asked_for_together_do_not_mix(self, voice: Voice) -> None:
        texts = ["One.", self.sentence, "A third sentence is spoken at the same time."]
        alone = [(await spoken(voice, self.request(text)))[0] for text in texts]
        together = await asyncio.gather(*(spoken(voice, self.request(text)) for text in texts))
        assert [pcm for pcm, _ in together] == alone

    @pytest.mark.parametrize("text", ["", "...", "\U0001f600", "<b>bold</b> [[x]] & so on", "a\0b", "Grüße für Ömer"])
    async def test_odd_text_is_no_error(self, voice: Voice, text: str) -> None:
        pcm, _ = await spoken(voice, self.request(text))
        assert _ms(pcm) < 15_000

    async def test_a_long_text_is_spoken_whole(self, voice: Voice) -> None:
        once, _ = await spoken(voice, self.request("This is a sentence of some length. "))
        many, _ = await spoken(voice, self.request("This is a sentence of some length. " * 40))
        assert _ms(many) > 30 * _ms(once)


class VoiceProcessConformance(VoiceConformance):
    """An engine in child processes; the subclass also gives `kill_engine`."""

    def kill_engine(self, voice: Voice) -> None:
        """kill -9 of every process of the engine."""
        raise AssertionError("the subclass must give `kill_engine`")

    async def test_a_sentence_fails_when_the_engine_is_killed_and_the_next_works(self, voice: Voice) -> None:
        async def cut_short() -> None:
            async for _ in voice.synthesize(self.request("This one is cut short by an accident. " * 60)):
                self.kill_engine(voice)

        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ProviderUnavailable):
                await cut_short()
            while True:
                with contextlib.suppress(ProviderUnavailable):
                    pcm, _ = await spoken(voice, self.request())
                    break
        assert pcm
