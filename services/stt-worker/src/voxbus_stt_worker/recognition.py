"""One call's recognition: carries out what the segments order, and says on the bus what the recognizer hears."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from voxbus_contracts import Event
from voxbus_contracts.assistant import Transcriber
from voxbus_contracts.events import (
    FaultRaised,
    SpeechStarted,
    SpeechStopped,
    TranscriptFinal,
    TranscriptPartial,
    UsageRecorded,
)
from voxbus_providers.errors import ProviderError, ProviderUnavailable
from voxbus_providers.recognizer import HeardFrame, Hearing, Recognizer, RecognizerRequest, RecognizerSession
from voxbus_stt_worker import metrics
from voxbus_stt_worker.engines import PLATFORM, chosen
from voxbus_stt_worker.ordering import Hole
from voxbus_stt_worker.partials import Partial, PartialPacer
from voxbus_stt_worker.segments import Feed, Flush, Listen, Lost, Order, Segments, Utterance

RETRY_AFTER_S: Final = 0.1


class EngineSource(Protocol):
    """Where recognizers come from."""

    default: str

    async def get(self, name: str) -> Recognizer: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a recognizer is tried."""

    final_timeout_ms: int = 5_000
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recognizer that may hear the call, with its own settings; `provider` = whose usage it is."""

    engine: str
    transcriber: Transcriber
    provider: str


def line_up(transcriber: Transcriber, default: str) -> tuple[Candidate, ...]:
    """The one asked for, those that stand in for it, the platform's default; best first."""
    asked = [Candidate(chosen(each), each, each.provider) for each in (transcriber, *transcriber.stand_ins)]
    if any(each.engine == default for each in asked):
        return tuple(asked)
    return (*asked, Candidate(default, transcriber, PLATFORM))


def _now_ms() -> float:
    return asyncio.get_running_loop().time() * 1_000


class Recognition:
    """Everything here is synchronous but `run`: `say` takes the events in order, `ask` starts reading a hole."""

    def __init__(
        self,
        segments: Segments,
        request: RecognizerRequest,
        engines: EngineSource,
        patience: Patience,
        say: Callable[[Event], None],
        ask: Callable[[Hole], None],
    ) -> None:
        self._segments = segments
        self._request = request
        self._engines = engines
        self._candidates = line_up(request.transcriber, engines.default)
        self._patience = patience
        self._say = say
        self._ask = ask
        self._pacer = PartialPacer()
        self._session: RecognizerSession | None = None
        self._limit: asyncio.Timeout | None = None
        self._has_work = asyncio.Event()
        self._is_settled = asyncio.Event()
        self._is_settled.set()
        self._timer: asyncio.Handle | None = None
        self._wakes_s = 0.0
        """When `_timer` is due: a handle whose time has come already cannot say so in uvloop."""
        self._is_stopped = False
        self._failures = 0
        self._is_changed = False

    # --- inputs ------------------------------------------------------------------------------------------------

    def on_frame(self, frame: HeardFrame) -> None:
        self._carry_out(self._segments.on_frame(frame, _now_ms()))

    def on_played(self, pcm: bytes) -> None:
        """20 ms of the assistant, for recognizers that listen to both."""
        if self._session is not None:
            self._session.overhear(pcm)

    def on_speech_started(self, event: SpeechStarted) -> None:
        self._carry_out(self._segments.on_speech_started(event, _now_ms()))

    def on_speech_paused(self) -> None:
        """Somebody may be about to prepare an answer: the newest guess is worth more now than few messages."""
        self._say_partial(self._pacer.hurry(_now_ms()))

    def on_speech_stopped(self, event: SpeechStopped) -> None:
        self._carry_out(self._segments.on_speech_stopped(event, _now_ms()))

    def on_hole_answered(self, frames: Iterable[HeardFrame]) -> None:
        self._carry_out(self._segments.on_hole_answered(frames, _now_ms()))

    def await_missed(self, for_ms: float) -> None:
        """The bus is lost, or just back: frames that are missing may still come."""
        self._segments.be_patient(_now_ms() + for_ms)

    def on_handoff(self, request: RecognizerRequest) -> None:
        """Another assistant listens from now on; what is not recognized yet is heard again by its recognizer."""
        before, self._request = self._request, request
        if (request.transcriber, request.terms) == (before.transcriber, before.terms):
            return
        self._candidates = line_up(request.transcriber, self._engines.default)
        self._is_changed = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    def on_call_ended(self) -> None:
        self._carry_out(self._segments.on_call_ended(_now_ms()))

    async def settled(self) -> None:
        """Until every utterance that was asked for is final."""
        await self._is_settled.wait()

    def stop(self) -> None:
        """Asks nothing and waits for nothing any more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    # --- the recognizer ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keeps a recognizer session open, for ever."""
        while True:
            try:
                self._is_changed = False
                session = await self._open()
                try:
                    await self._listen(session)
                finally:
                    self._session = None
                    await session.close()
            except ProviderError as fault:
                await self._on_fault(fault)

    @property
    def _engine_name(self) -> str:
        return self._candidates[0].engine

    async def _open(self) -> RecognizerSession:
        """A session of the recognizer asked for; of the next one where that is not to be had at all."""
        while True:
            candidate = self._candidates[0]
            try:
                engine = await self._engines.get(candidate.engine)
                session = await engine.open(replace(self._request, transcriber=candidate.transcriber))
            except ProviderError as fault:
                if fault.retryable or len(self._candidates) == 1:
                    raise
                self._say_fault(fault)
                self._candidates = self._candidates[1:]
            else:
                self._segments.tells_all = engine.capabilities.listens_always
                return session

    async def _listen(self, session: RecognizerSession) -> None:
        try:
            async with asyncio.timeout(None) as self._limit:
                if self._is_changed:
                    return
                self._session = session
                self._hand_over(self._segments.replay())
                async for hearing in session.hearings():
                    if hearing.final:
                        self._on_final(hearing)
                    else:
                        self._on_partial(hearing)
        except TimeoutError:
            if self._is_changed:
                return
            raise ProviderUnavailable(self._engine_name, "no final hearing in time") from None
        finally:
            self._limit = None
        raise ProviderUnavailable(self._engine_name, "the session ended by itself")

    async def _on_fault(self, fault: ProviderError) -> None:
        self._say_fault(fault)
        self._failures += 1
        is_given_up = self._failures >= self._patience.attempts or not fault.retryable
        if is_given_up and len(self._candidates) > 1:  # the next one is given all that is not final
            self._failures, self._candidates = 0, self._candidates[1:]
        elif is_given_up:
            self._failures = 0
            for utterance in self._segments.give_up():
                self._say_lost(utterance)
            self._look_at_work()
        await self._has_work.wait()
        await asyncio.sleep(RETRY_AFTER_S * self._failures)

    # --- what comes out ----------------------------------------------------------------------------------------

    def _carry_out(self, orders: list[Order]) -> None:
        if orders:
            self._hand_over(orders)
        self._arm()

    def _hand_over(self, orders: list[Order]) -> None:
        session = self._session
        for order in orders:
            match order:
                case Feed(frame):
                    if session is not None:
                        session.push(frame)
                case Flush():
                    if session is not None:
                        session.flush()
                case Listen(frame):
                    if session is not None:
                        session.listen(frame)
                case Lost(utterance):
                    self._say_lost(utterance)
                case Hole():
                    metrics.HOLES.inc()
                    self._ask(order)
        self._look_at_work()

    def _look_at_work(self) -> None:
        """Sets what others wait for: is there work, is all of it done, and until when must the recognizer answer."""
        segments = self._segments
        (self._has_work.set if segments.has_work else self._has_work.clear)()
        awaited = segments.awaited
        (self._is_settled.clear if awaited is not None else self._is_settled.set)()
        if self._limit is None or self._is_changed:
            return
        if awaited is None:
            self._limit.reschedule(None)
        elif self._limit.when() is None:
            patience_s = (self._patience.final_timeout_ms + awaited.audio_ms) / 1_000
            self._limit.reschedule(asyncio.get_running_loop().time() + patience_s)

    def _on_final(self, hearing: Hearing) -> None:
        utterance = self._segments.confirm()
        self._failures = 0
        self._pacer.drop()
        if utterance is None:
            return
        candidate = self._candidates[0]
        least = candidate.transcriber.confidence_threshold
        is_sure = least is None or hearing.confidence is None or hearing.confidence >= least
        self._say_final(utterance, hearing if is_sure else replace(hearing, text=""))
        self._say(
            UsageRecorded(
                item="transcriber",
                provider=candidate.provider,
                model=candidate.engine,
                unit="ms",
                quantity=utterance.audio_ms,
            )
        )
        if self._limit is not None and not self._is_changed:
            self._limit.reschedule(None)
        self._look_at_work()

    def _on_partial(self, hearing: Hearing) -> None:
        segments = self._segments
        start_pts_ms = segments.start_pts_ms
        end_pts_ms = max(start_pts_ms, hearing.end_pts_ms)
        partial = Partial(segments.transcript_seq, hearing.text, start_pts_ms, end_pts_ms)
        self._say_partial(self._pacer.offer(partial, _now_ms()))
        self._arm()

    def _say_partial(self, partial: Partial | None) -> None:
        if partial is not None:
            self._say(
                TranscriptPartial(
                    transcript_seq=partial.transcript_seq,
                    text=partial.text,
                    start_pts_ms=partial.start_pts_ms,
                    end_pts_ms=partial.end_pts_ms,
                )
            )

    def _say_lost(self, utterance: Utterance) -> None:
        metrics.GIVEN_UP.inc()
        self._say_final(utterance, Hearing("", True, utterance.start_pts_ms, utterance.end_pts_ms))

    def _say_final(self, utterance: Utterance, hearing: Hearing) -> None:
        recognition_ms = max(0.0, _now_ms() - utterance.asked_ms)
        metrics.RECOGNITION.labels(self._engine_name).observe(recognition_ms / 1_000)
        self._say(
            TranscriptFinal(
                transcript_seq=utterance.transcript_seq,
                text=hearing.text,
                start_pts_ms=utterance.start_pts_ms,
                end_pts_ms=utterance.end_pts_ms,
                speech_seq=utterance.speech_seq,
                provider=self._engine_name,
                recognition_ms=round(recognition_ms),
                confidence=hearing.confidence,
                language=hearing.language if hearing.text else None,
            )
        )

    def _say_fault(self, fault: ProviderError) -> None:
        metrics.FAULTS.labels(fault.provider, fault.code).inc()
        self._say(FaultRaised(code=fault.code, detail=str(fault), retryable=fault.retryable))

    # --- timers ------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Sees to it that `_on_timer` runs when the earliest of those who wait is due; too early does no harm."""
        wakes_ms = [at_ms for at_ms in (self._segments.wake_at_ms, self._pacer.wake_at_ms) if at_ms is not None]
        if not wakes_ms or self._is_stopped:
            return
        at_s = min(wakes_ms) / 1_000
        if self._timer is not None:
            if self._wakes_s <= at_s:
                return
            self._timer.cancel()
        self._wakes_s = at_s
        self._timer = asyncio.get_running_loop().call_at(at_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now_ms = _now_ms()
        self._say_partial(self._pacer.due(now_ms))
        self._carry_out(self._segments.on_tick(now_ms))
