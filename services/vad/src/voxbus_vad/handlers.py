"""What happens on a call that this worker owns: its caller's frames become speech events."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from voxbus_contracts.events import StageClaimed
from voxbus_runtime.errors import OwnershipLost
from voxbus_runtime.owned_call import OwnedCall
from voxbus_vad import metrics
from voxbus_vad.batching import Batcher, SileroOpinion
from voxbus_vad.cheap import CheapDetector, LoneDetector
from voxbus_vad.detector import SpeechEvent, resumed
from voxbus_vad.intake import Intake, catch_up
from voxbus_vad.listening import Listener
from voxbus_vad.settings import Settings

INTERESTS: Final = frozenset({"speech.started", "speech.stopped"})
"""The stage's own events: they say where the predecessor stood."""

_Events = asyncio.Queue[SpeechEvent | None]


@dataclass(frozen=True, slots=True)
class Ears:
    """What all calls of the process share."""

    settings: Settings
    batcher: Batcher | None

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
    listener = ears.listener(call, events.put_nowait)
    took_over = _had_owner(call)
    intake = Intake(listener, hold=took_over)
    await call.subscribe_audio("caller", intake.on_frame)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_publish(call, events))
        catching_up = tasks.create_task(_catch_up(call, intake, ears.settings.vad_replay_ms)) if took_over else None
        async for _ in call.messages():
            pass
        if catching_up is not None:
            catching_up.cancel()
        intake.stop()
        events.put_nowait(None)


def _had_owner(call: OwnedCall) -> bool:
    claims = (logged.message for logged in call.history if isinstance(logged.message, StageClaimed))
    return any(claim.stage == call.stage and claim.epoch < call.epoch for claim in claims)


async def _publish(call: OwnedCall, events: _Events) -> None:
    """Says the events in order; None is the end."""
    with suppress(OwnershipLost):
        while (event := await events.get()) is not None:
            await call.publish(event)
            metrics.SPEECH_EVENTS.labels(event.name()).inc()


async def _catch_up(call: OwnedCall, intake: Intake, replay_ms: int) -> None:
    if not await catch_up(intake, partial(call.replay_audio, "caller"), replay_ms):
        call.log.warning("missed audio cannot be read back, going on live")
