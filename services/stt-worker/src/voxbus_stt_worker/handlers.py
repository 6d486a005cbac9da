"""What happens on a call that this worker owns: its caller's speech becomes transcripts."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final

from voxbus_audio import FRAME_BYTES, SILENCE_FRAME
from voxbus_contracts import Event
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import HandoffCompleted, SpeechPaused, SpeechStarted, SpeechStopped, TurnCommitted
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_providers.assistant_terms import recognition_terms
from voxbus_providers.recognizer import HeardFrame, RecognizerRequest
from voxbus_runtime.errors import OwnershipLost, RuntimeFault
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.sequencing import LoggedMessage
from voxbus_runtime.tasks import end
from voxbus_stt_worker import metrics
from voxbus_stt_worker.engines import hears_both
from voxbus_stt_worker.ordering import Hole
from voxbus_stt_worker.recognition import EngineSource, Patience, Recognition
from voxbus_stt_worker.segments import KEPT_IDLE_MS, Segments
from voxbus_stt_worker.tracing import RecognitionSpans

INTERESTS: Final = frozenset(
    {"speech.started", "speech.paused", "speech.stopped", "transcript.final", "turn.committed", "handoff.completed"}
)
FIRST_FRAME_S: Final = 0.1
"""Five frames: if none came, nobody is talking right now."""
REPLAY_S: Final = 2.0
MISSED_WITHIN_MS: Final = 1_600.0
"""After a loss of the bus: media-ingress says again what was missed, as soon as it hears that this worker is back."""
LOST_FOR_MS: Final = 10_000.0
WIND_UP_S: Final = 2.0
"""What a final may still take when the call is over or the worker leaves."""


async def serve(call: OwnedCall, engines: EngineSource, patience: Patience) -> None:
    """Recognizes from the claim to the end of the call, or until the worker leaves."""
    await Serving(call, engines, patience).run()


class Intake:
    """Takes live frames from the first moment on; holds them until the past is read."""

    def __init__(self) -> None:
        self.recognition: Recognition | None = None
        self.held: list[AudioFrame] = []
        self.first = asyncio.Event()

    def on_frame(self, frame: AudioFrame) -> None:
        """A live frame, straight from the subscription."""
        if self.recognition is not None:
            self.recognition.on_frame(heard(frame))
        else:
            self.held.append(frame)
            self.first.set()

    def release(self, recognition: Recognition, missed: Iterable[AudioFrame]) -> None:
        """Hands on what was missed, then what was held, and from now on everything at once."""
        held, self.held = self.held, []
        for frame in (*missed, *held):
            recognition.on_frame(heard(frame))
        self.recognition = recognition

    def stop(self) -> None:
        """The call leaves: what still arrives is the next owner's."""
        self.recognition = None


def heard(frame: AudioFrame) -> HeardFrame:
    """The frame as recognizers take it; one of a wrong length is silence."""
    if len(frame.pcm) == FRAME_BYTES:
        return HeardFrame(frame.pts_ms, frame.pcm, frame.filled)
    metrics.BROKEN_FRAMES.inc()
    return HeardFrame(frame.pts_ms, SILENCE_FRAME, filled=True)


class Serving:
    """One call while this worker owns it."""

    def __init__(self, call: OwnedCall, engines: EngineSource, patience: Patience) -> None:
        history = [logged.message for logged in call.history]
        self._call = call
        self._segments = Segments(history, asyncio.get_running_loop().time() * 1_000)
        self._said: asyncio.Queue[Event | None] = asyncio.Queue()
        self._intake = Intake()
        self._spans = RecognitionSpans()
        self._tasks = asyncio.TaskGroup()
        cast = (call.config.assistant, *(member.assistant for member in call.config.members))
        ears = [ear for each in cast for ear in (each.transcriber, *each.transcriber.stand_ins)]
        self._hears_both = any(hears_both(each) for each in ears)
        request = _request_of(call.config)
        self._recognition = Recognition(self._segments, request, engines, patience, self._said.put_nowait, self._ask)

    async def run(self) -> None:
        bus = self._call.bus
        stop_watching = (bus.on_disconnect(self._on_bus_lost), bus.on_reconnect(self._on_bus_back))
        try:
            await self._run()
        finally:
            for stop in stop_watching:
                stop()

    async def _on_bus_lost(self) -> None:
        self._recognition.await_missed(LOST_FOR_MS)

    async def _on_bus_back(self) -> None:
        self._recognition.await_missed(MISSED_WITHIN_MS)

    async def _run(self) -> None:
        await self._call.subscribe_audio("caller", self._intake.on_frame)
        if self._hears_both:
            await self._call.subscribe_audio("played", lambda frame: self._recognition.on_played(frame.pcm))
        for logged in self._call.history:
            if isinstance(logged.message, HandoffCompleted):
                await self._hand_over(logged.message)
        async with self._tasks:
            self._tasks.create_task(self._publish())
            recognizing = self._tasks.create_task(self._recognition.run())
            await self._catch_up()
            has_ended = await self._follow()
            await self._wind_up(has_ended)
            await end(recognizing)
            self._said.put_nowait(None)

    async def _follow(self) -> bool:
        """Until the call is over (True) or the worker leaves."""
        async for logged in self._call.messages():
            on_message(self._recognition, logged)
            if isinstance(logged.message, HandoffCompleted):
                await self._hand_over(logged.message)
            if isinstance(logged.message, TurnCommitted):
                self._spans.on_committed(logged.message, logged.envelope.traceparent)
            if logged.name == "call.ended":
                return True
        return False

    async def _hand_over(self, handoff: HandoffCompleted) -> None:
        self._recognition.on_handoff(_request_of(await self._call.spoken_by(handoff.member)))

    async def _wind_up(self, has_ended: bool) -> None:
        self._intake.stop()
        if has_ended:
            self._recognition.on_call_ended()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._recognition.settled(), WIND_UP_S)
        self._recognition.stop()

    async def _publish(self) -> None:
        """Says the events in order; None is the end."""
        with contextlib.suppress(OwnershipLost):
            while (event := await self._said.get()) is not None:
                await self._call.publish(event)
                self._spans.on_said(event)

    # --- the past ----------------------------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        """Reads the audio that came before the subscription and is not recognized yet."""
        from_ms = await self._missed_from_ms()
        missed = await self._replay(from_ms, None) if from_ms is not None else []
        if missed:
            self._segments.start_at(max(from_ms or 0, missed[0].pts_ms))
        elif self._segments.needed_from_ms is not None:
            self._segments.start_at(self._segments.needed_from_ms)
        self._intake.release(self._recognition, missed)

    async def _missed_from_ms(self) -> int | None:
        """Where to begin: at speech that is not recognized, else shortly before now; None = nothing was said."""
        if self._segments.needed_from_ms is not None:
            return self._segments.needed_from_ms
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._intake.first.wait(), FIRST_FRAME_S)
        if not self._intake.held:
            return None
        return max(self._segments.recognized_upto_ms, self._intake.held[0].pts_ms - KEPT_IDLE_MS)

    async def _replay(self, from_ms: int, upto_ms: int | None) -> list[AudioFrame]:
        try:
            return await asyncio.wait_for(self._call.replay_audio("caller", from_ms, upto_ms), REPLAY_S)
        except (RuntimeFault, TimeoutError) as problem:
            self._call.log.warning("audio cannot be read back now", problem=type(problem).__name__)
            return []

    def _ask(self, hole: Hole) -> None:
        self._tasks.create_task(self._fill(hole))

    async def _fill(self, hole: Hole) -> None:
        frames = await self._replay(hole.from_pts_ms, hole.upto_pts_ms)
        self._recognition.on_hole_answered([heard(frame) for frame in frames])


def _request_of(config: CallConfig) -> RecognizerRequest:
    return RecognizerRequest(config.assistant.transcriber, recognition_terms(config.assistant), config)


def on_message(recognition: Recognition, logged: LoggedMessage) -> None:
    """Hands a message to its handler; others are not for us."""
    match logged.message:
        case SpeechStarted() as event:
            recognition.on_speech_started(event)
        case SpeechPaused():
            recognition.on_speech_paused()
        case SpeechStopped() as event:
            recognition.on_speech_stopped(event)
        case _:
            pass
