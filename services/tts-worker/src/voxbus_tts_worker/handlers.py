"""What happens on a call that this worker owns: sentences become audio, one after the other."""

import asyncio
import contextlib
import time
from functools import partial
from typing import Final

from voxbus_contracts.events import FaultRaised, HandoffCompleted, PlaybackCleared, PlaybackFinished, UsageRecorded
from voxbus_providers.errors import ProviderError
from voxbus_runtime.errors import OwnershipLost
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.tasks import end
from voxbus_runtime.telemetry import PastSpan, is_traced, record
from voxbus_tts_worker import metrics
from voxbus_tts_worker.choosing import Choice
from voxbus_tts_worker.engines import VoiceSource
from voxbus_tts_worker.errors import VOICE_FAILED
from voxbus_tts_worker.line import CallLine
from voxbus_tts_worker.speaking import Sentence, Speaking, begun, ended, heard, is_wasted, resumed
from voxbus_tts_worker.utterance import Pace, Utterance
from voxbus_tts_worker.voices import Voices

INTERESTS: Final = frozenset(
    {
        "speech.say",
        "speech.cancel",
        "playback.clear",
        "speech.synthesized",
        "playback.cleared",
        "playback.finished",
        "reply.started",
        "handoff.completed",
    }
)
_WIND_UP_S: Final = 3.0
"""What the running sentence may still take when the worker leaves; then the next owner says it again."""


async def serve(call: OwnedCall, engines: VoiceSource, pace: Pace, lines: set[CallLine]) -> None:
    """Speaks from the claim to the end of the call, or until the worker leaves; `lines` has the call's meanwhile."""
    line = CallLine(call)
    lines.add(line)
    try:
        with line.following_the_bus():
            await Mouth(call, line, engines, pace).run()
    finally:
        lines.discard(line)


class Mouth:
    """One call while this worker owns it."""

    def __init__(self, call: OwnedCall, line: CallLine, engines: VoiceSource, pace: Pace) -> None:
        self._call = call
        self._line = line
        self._engines = engines
        self._pace = pace
        self._voices = Voices(call.config, engines.defaults)
        self._state = resumed(
            ((logged.message, logged.envelope.traceparent) for logged in call.history), self._now_ms()
        )
        self._news = asyncio.Event()
        self._is_over = False
        self._speaking: asyncio.Task[None] | None = None
        self._unsettled: list[Utterance] = []

    async def run(self) -> None:
        for logged in self._call.history:
            if isinstance(logged.message, HandoffCompleted):
                await self._hand_over(logged.message)
        working = asyncio.create_task(self._work(), name=f"voice {self._call.ref.call}")
        following = asyncio.create_task(self._follow(), name=f"orders {self._call.ref.call}")
        try:
            await asyncio.wait({working, following}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                self._wind_up()
                await asyncio.wait({working}, timeout=_WIND_UP_S)
        finally:
            outcomes = await end(working, following)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        with contextlib.suppress(OwnershipLost):
            await self._settle_usage(is_last_chance=True)

    def _now_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1_000

    async def _follow(self) -> None:
        async for logged in self._call.messages():
            match logged.message:
                case HandoffCompleted():
                    await self._hand_over(logged.message)
                case PlaybackFinished():
                    self._line.heard(logged.message.utterance_seq)
                case PlaybackCleared():
                    self._line.heard(logged.message.up_to_utterance_seq)
                case _:
                    pass
            self._become(heard(self._state, logged.message, self._now_ms(), logged.envelope.traceparent))
            if self._unsettled:
                await self._settle_usage()

    async def _hand_over(self, handoff: HandoffCompleted) -> None:
        config = await self._call.spoken_by(handoff.member)
        self._voices.hand_over(config, handoff.from_utterance_seq)

    def _become(self, state: Speaking) -> None:
        """A sentence that does not run any more in the new state is stopped at once."""
        if self._state.running is not None and state.running is None and self._speaking is not None:
            self._speaking.cancel()
        self._state = state
        self._news.set()

    def _wind_up(self) -> None:
        """No further sentence begins; the running one ends, at once when the call is over."""
        self._is_over = True
        if not self._call.leaving.is_set() and self._speaking is not None:
            self._speaking.cancel()
        self._news.set()

    async def _work(self) -> None:
        while not self._is_over:
            self._news.clear()
            self._state = begun(self._state)
            if self._state.running is None:
                await self._news.wait()
            else:
                await self._say(self._state.running)

    async def _say(self, sentence: Sentence) -> None:
        """Until the sentence is on the bus, or not wanted any more."""
        casting = self._voices.of(sentence.utterance_seq)
        utterance = Utterance(sentence, casting.voice.speed, self._line, self._engines, self._pace)
        utterance.config = casting.config
        speaking = self._speaking = asyncio.create_task(self._speak(utterance))
        try:
            await asyncio.wait({speaking})
        finally:
            self._speaking = None
            await end(speaking)
        if speaking.cancelled():
            metrics.SENTENCES.labels("cancelled").inc()
        else:
            speaking.result()
        if is_traced():
            self._record_span(utterance)
        await self._record_usage(utterance)

    async def _speak(self, utterance: Utterance) -> None:
        """Says it, and that it is said."""
        sentence = utterance.sentence
        synthesized = await utterance.speak(
            self._voices.of(sentence.utterance_seq).choices, partial(self._on_failure, sentence)
        )
        if utterance.failed:
            fault = FaultRaised(code=VOICE_FAILED, detail="no voice could say a sentence")
            await self._call.publish(fault, traceparent=sentence.traceparent)
        elif utterance.is_audible and not sentence.is_repeat:
            metrics.FIRST_AUDIO.labels(utterance.engine).observe(synthesized.first_audio_ms / 1_000)
        metrics.SENTENCES.labels("failed" if utterance.failed else "spoken").inc()
        await self._call.publish(synthesized, traceparent=sentence.traceparent)
        self._state = ended(self._state)

    def _record_span(self, utterance: Utterance) -> None:
        now_ms, sentence = time.time_ns() / 1e6, utterance.sentence
        since_ms = now_ms - (self._now_ms() - sentence.arrived_ms)
        attributes = {"voxbus.utterance": sentence.utterance_seq, "voxbus.engine": utterance.engine}
        first_ms = utterance.first_audio_ms
        moments = {} if first_ms is None else {"first-frame": since_ms + first_ms}
        span = PastSpan(metrics.VOICE_SPAN, since_ms, now_ms, attributes, moments)
        record(span, sentence.traceparent)

    async def _on_failure(self, sentence: Sentence, choice: Choice, problem: ProviderError) -> None:
        """A voice that cannot work here, or has failed too often, is not asked again on this call."""
        metrics.FAULTS.labels(choice.engine, problem.code).inc()
        self._call.log.warning("a voice failed", engine=choice.engine, code=problem.code, detail=problem.detail)
        self._voices.of(sentence.utterance_seq).failed(choice, is_for_good=not problem.retryable)
        fault = FaultRaised(code=problem.code, detail=str(problem), retryable=problem.retryable)
        await self._call.publish(fault, traceparent=sentence.traceparent)

    async def _record_usage(self, utterance: Utterance) -> None:
        """Characters count once a voice made sound of them, also when the caller then interrupted it.

        Those of a held sentence are told when it is known whether it is heard.
        """
        if utterance.is_audible and not utterance.sentence.keys:
            self._unsettled.append(utterance)
            await self._settle_usage()

    async def _settle_usage(self, *, is_last_chance: bool = False) -> None:
        unsettled, self._unsettled = self._unsettled, []
        for utterance in unsettled:
            wasted = is_wasted(self._state, utterance.sentence)
            if wasted is None and not is_last_chance:
                self._unsettled.append(utterance)
                continue
            usage = UsageRecorded(
                item="voice",
                provider=self._voices.of(utterance.sentence.utterance_seq).voice.provider,
                model=utterance.engine,
                unit="characters",
                quantity=len(utterance.sentence.text),
                wasted=bool(wasted),
            )
            await self._call.publish(usage, traceparent=utterance.sentence.traceparent)
