"""One sentence on its way: from a voice's samples to frames on the bus, whichever engine has to make them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from voxbus_audio import FRAME_MS, FrameCutter, keys_pcm
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import SpeechSynthesized, SpokenWord
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_providers.errors import ProviderError, ProviderUnavailable
from voxbus_providers.voice import VoiceChunk, VoiceRequest, WordTime
from voxbus_tts_worker.choosing import Choice, Failure, next_choice
from voxbus_tts_worker.engines import VoiceSource
from voxbus_tts_worker.pacing import due_ms
from voxbus_tts_worker.speaking import Sentence

_TONES: Final = Choice("tones")
"""In place of an engine: keys need none."""

_WELL_AHEAD_MS: Final = 300
"""So much sound that is sent and not heard covers what gathering frames costs."""

_BREATH_FRAMES: Final = 25
"""Frames sent in a row before other calls get their turn."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How far ahead of real time audio is sent, and the patience with an engine."""

    ahead_ms: int = 10_000
    timeout_ms: int = 3_000


class Line(Protocol):
    """Where frames go, in order; `hurry` = send the rest without pacing."""

    @property
    def hurry(self) -> asyncio.Event: ...

    async def send(self, frame: AudioFrame, *, may_wait: bool) -> None:
        """`may_wait`: it is played so much later that it may go in one message with those that follow."""
        ...


class Utterance:
    """Speaks one sentence; when its task is cancelled, at most the frame on its way still leaves."""

    def __init__(self, sentence: Sentence, speed: float, line: Line, engines: VoiceSource, pace: Pace) -> None:
        self.sentence = sentence
        self.engine = ""
        """The engine that was asked last."""
        self.failed = False
        self.config: CallConfig | None = None
        """The call's, where a voice may be the customer's own."""
        self._speed = speed
        self._line = line
        self._engines = engines
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._sent = 0
        self._first_sent_s = 0.0
        self._first_audio_ms: int | None = None
        self._words: tuple[WordTime, ...] = ()

    @property
    def is_audible(self) -> bool:
        """A frame with sound has left."""
        return self._sent > 0

    @property
    def first_audio_ms(self) -> int | None:
        """From the sentence's arrival to its first frame on the bus; None before it."""
        return self._first_audio_ms

    async def speak(
        self, choices: Sequence[Choice], on_failure: Callable[[Choice, ProviderError], Awaitable[None]]
    ) -> SpeechSynthesized:
        """All frames are on the bus when it returns; if nobody could say it, only a last one without sound."""
        failures: list[Failure] = []
        choices = (_TONES,) if self.sentence.keys else choices
        while (choice := next_choice(choices, failures, self.is_audible)) is not None:
            self.engine = choice.engine
            try:
                await self._attempt(choice)
                return self._synthesized()
            except ProviderError as problem:
                failures.append(Failure(choice, problem.retryable))
                await on_failure(choice, problem)
        self.failed = True
        self._words = ()
        await self._publish(b"", last=True)
        return self._synthesized()

    async def _attempt(self, choice: Choice) -> None:
        """From the first sample on; what an attempt before has sent already is not sent again."""
        words: list[WordTime] = []
        cutter = FrameCutter()
        index, held = 0, b""
        async with contextlib.aclosing(self._chunks(choice)) as chunks:
            async for chunk in chunks:
                words += chunk.words
                for pcm in cutter.push(chunk.pcm):
                    if held:
                        await self._send(index, held)
                        index += 1
                    held = pcm
        rest = cutter.take_rest()
        if rest is not None:
            if held:
                await self._send(index, held)
                index += 1
            held = rest
        self._words = tuple(words)
        await self._publish(held if index >= self._sent else b"", last=True)

    async def _chunks(self, choice: Choice) -> AsyncGenerator[VoiceChunk, None]:
        """Raises ProviderError, also when the voice keeps silent for too long."""
        if self.sentence.keys:
            yield VoiceChunk(keys_pcm(self.sentence.keys))
            return
        request = VoiceRequest(self.sentence.text, choice.voice_id, self._speed, choice.settings, self.config)
        patience_s = choice.patience_s or self._pace.timeout_ms / 1_000
        try:
            async with asyncio.timeout(patience_s):
                voice = await self._engines.get(choice.engine)
            chunks = voice.synthesize(request)
            try:
                while True:
                    async with asyncio.timeout(patience_s):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    yield chunk
            finally:
                if isinstance(chunks, AsyncGenerator):
                    await chunks.aclose()
        except TimeoutError:
            raise ProviderUnavailable(choice.engine, f"no audio within {patience_s * 1_000:g} ms") from None

    async def _send(self, index: int, pcm: bytes) -> None:
        if index >= self._sent:
            await self._publish(pcm, last=False)

    async def _publish(self, pcm: bytes, last: bool) -> None:
        made_unix_us = time.time_ns() // 1_000
        if self._sent and not self.sentence.is_repeat:
            await self._wait_for_turn()
        frame = AudioFrame(
            pcm=pcm,
            pts_ms=self._sent * FRAME_MS,
            utterance_seq=self.sentence.utterance_seq,
            origin_unix_us=made_unix_us,
            last=last,
            held=self.sentence.is_held,
        )
        await self._line.send(frame, may_wait=not last and self._is_ahead())
        if self._first_audio_ms is None:
            self._first_sent_s = self._loop.time()
            self._first_audio_ms = max(0, round(self._first_sent_s * 1_000 - self.sentence.arrived_ms))
        if pcm:
            self._sent += 1
        if self._sent % _BREATH_FRAMES == 0:
            await asyncio.sleep(0)

    def _is_ahead(self) -> bool:
        """What was sent before sounds for a while yet, even if the caller hears the sentence already."""
        sounded_s = self._loop.time() - self._first_sent_s
        return self._sent * FRAME_MS > sounded_s * 1_000 + _WELL_AHEAD_MS and not self.sentence.is_repeat

    async def _wait_for_turn(self) -> None:
        """Not for the first frame, nor for a sentence that a predecessor may have begun: much of it may be heard
        already."""
        due_s = self._first_sent_s + due_ms(self._sent, self._pace.ahead_ms) / 1_000
        wait_s = due_s - self._loop.time()
        if wait_s > 0 and not self._line.hurry.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._line.hurry.wait(), wait_s)

    def _synthesized(self) -> SpeechSynthesized:
        return SpeechSynthesized(
            utterance_seq=self.sentence.utterance_seq,
            duration_ms=self._sent * FRAME_MS,
            characters=len(self.sentence.text),
            first_audio_ms=self._first_audio_ms or 0,
            provider=self.engine,
            failed=self.failed,
            words=tuple(SpokenWord(text=word.text, start_ms=word.start_ms, end_ms=word.end_ms) for word in self._words),
        )
