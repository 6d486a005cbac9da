"""What happens on a call that this worker owns: its caller's frames become speech events."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from voxbus_contracts.events import SpeechJudged, SpeechStopped, StageClaimed
from voxbus_runtime.errors import OwnershipLost
from voxbus_runtime.owned_call import OwnedCall
from voxbus_vad import metrics
from voxbus_vad.batching import Batcher, SileroOpinion
from voxbus_vad.cheap import CheapDetector, LoneDetector
from voxbus_vad.detector import SpeechEvent, resumed
from voxbus_vad.ending import REMEMBERED_MS, Judging, judging, with_judgement
from voxbus_vad.intake import Intake, catch_up
from voxbus_vad.last_seconds import LastSeconds
from voxbus_vad.listening import Listener
from voxbus_vad.settings import Settings
from voxbus_vad.smart_turn import WINDOW_MS
from voxbus_vad.turn_judge import TurnJudge

INTERESTS: Final = frozenset({"speech.started", "speech.stopped"})
"""The stage's own events: they say where the predecessor stood."""

LULL_MS: Final = 120
"""After so much silence a stop may be coming: its sound is judged then, so that the stop need not wait for it. Most
silences inside speech are shorter."""


@dataclass(frozen=True, slots=True)
class StopInMaking:
    """A stop whose sound is being judged, or was."""

    stopped: SpeechStopped
    finished: asyncio.Task[float | None]


_Events = asyncio.Queue[SpeechEvent | SpeechJudged | StopInMaking | None]


@dataclass(frozen=True, slots=True)
class Ears:
    """What all calls of the process share."""

    settings: Settings
    batcher: Batcher | None
    judge: TurnJudge | None = None

    def listener(self, call: OwnedCall, say: Callable[[SpeechEvent], None]) -> Listener:
        settings = self.settings
        rules = settings.hysteresis
        if call.config.assistant.start_speaking_plan.speculation.enabled:
            rules = replace(rules, pause_ms=settings.vad_pause_ms)
        history = [logged.message for logged in call.history if logged.message is not None]
        cheap = LoneDetector if self.batcher is None else CheapDetector
        listener = Listener(
            cheap(settings.vad_quiet_dbfs, settings.vad_unsure_mode),
            rules,
            resumed(history, rules),
            say,
        )
        if self.batcher is not None:
            opinion = SileroOpinion(self.batcher, settings.vad_silero_threshold)
            doubt_voiced = settings.vad_silero_asks == "voiced"
            listener.consult(opinion, settings.vad_silero_wait_ms, doubt_voiced=doubt_voiced)
        return listener


async def serve(call: OwnedCall, ears: Ears) -> None:
    """Listens from the claim to the end of the call, or until the worker leaves."""
    events: _Events = asyncio.Queue()
    judgements = Judgements(ears.judge, events, by_prosody=ears.settings.vad_prosody)
    listener = ears.listener(call, judgements.say)
    if judgements.listens:
        listener.keep(judgements.memory)
    if ears.settings.vad_prosody:
        listener.expect_stops(LULL_MS, judgements.expect)
    intake = Intake(listener, hold=_had_owner(call))
    await call.subscribe_audio("caller", intake.on_frame)
    stop_watching = (call.bus.on_disconnect(intake.on_bus_lost), call.bus.on_reconnect(intake.on_bus_back))
    try:
        await _listen(call, intake, ears, events, judgements)
    finally:
        for stop in stop_watching:
            stop()


async def _listen(call: OwnedCall, intake: Intake, ears: Ears, events: _Events, judgements: "Judgements") -> None:
    """Until the call is over or the worker leaves."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_publish(call, events))
        catching_up = None
        if _had_owner(call):
            catching_up = tasks.create_task(_catch_up(call, intake, ears.settings.vad_replay_ms))
        async for _ in call.messages():
            pass
        if catching_up is not None:
            catching_up.cancel()
        intake.stop()
        judgements.stop()
        events.put_nowait(None)


class Judgements:
    """Passes one call's events on, each stop with what its prosody says; the turn model's judgement follows."""

    def __init__(self, judge: TurnJudge | None, events: _Events, *, by_prosody: bool = False) -> None:
        self._judge = judge
        self._events = events
        self._by_prosody = by_prosody
        self._tasks: set[asyncio.Task[None]] = set()
        self._ahead: tuple[int, asyncio.Task[float | None]] | None = None
        """Where the voice ended that is judged already, and its judgement."""
        self.memory = LastSeconds(REMEMBERED_MS if judge is None else WINDOW_MS)

    @property
    def listens(self) -> bool:
        """Whether the memory is needed."""
        return self._by_prosody or self._judge is not None

    def say(self, event: SpeechEvent) -> None:
        if not isinstance(event, SpeechStopped):
            self._events.put_nowait(event)
            return
        self._events.put_nowait(StopInMaking(event, self._judged(event.pts_ms)) if self._by_prosody else event)
        if self._judge is not None:
            task = asyncio.create_task(self._follow(self._judge, event, self.memory.audio()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def expect(self, voice_ended_pts_ms: int) -> None:
        """A stop may be coming: what it sounds like is known when it comes."""
        if self._ahead is not None:
            self._ahead[1].cancel()
        self._ahead = (voice_ended_pts_ms, self._judge_sound(voice_ended_pts_ms))

    def _judged(self, voice_ended_pts_ms: int) -> asyncio.Task[float | None]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == voice_ended_pts_ms:
            return ahead[1]
        return self._judge_sound(voice_ended_pts_ms)

    def _judge_sound(self, voice_ended_pts_ms: int) -> asyncio.Task[float | None]:
        return asyncio.create_task(between_frames(judging(voice_ended_pts_ms, self.memory)))

    def stop(self) -> None:
        """The call leaves: judgements that are still under way are nobody's any more."""
        for task in self._tasks:
            task.cancel()

    async def _follow(self, judge: TurnJudge, stopped: SpeechStopped, audio: bytes) -> None:
        finished = await judge.finished(audio)
        if finished is not None:
            judged = SpeechJudged(speech_seq=stopped.speech_seq, pts_ms=stopped.pts_ms, finished=finished)
            self._events.put_nowait(judged)


def _had_owner(call: OwnedCall) -> bool:
    claims = (logged.message for logged in call.history if isinstance(logged.message, StageClaimed))
    return any(claim.stage == call.stage and claim.epoch < call.epoch for claim in claims)


async def _publish(call: OwnedCall, events: _Events) -> None:
    """Says the events in order; None is the end."""
    with suppress(OwnershipLost):
        while (said := await events.get()) is not None:
            event = with_judgement(said.stopped, await said.finished) if isinstance(said, StopInMaking) else said
            await call.publish(event)
            metrics.SPEECH_EVENTS.labels(event.name()).inc()


async def between_frames(steps: Judging) -> float | None:
    """Frames that come meanwhile are heard between two steps."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value
        await asyncio.sleep(0)


async def _catch_up(call: OwnedCall, intake: Intake, replay_ms: int) -> None:
    if not await catch_up(intake, partial(call.replay_audio, "caller"), replay_ms):
        call.log.warning("missed audio cannot be read back, going on live")
