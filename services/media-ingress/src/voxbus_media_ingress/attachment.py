"""One transport of a call, from its arrival to its end: the shell around the clock, the playout and the messages."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final

from voxbus_audio import SILENCE_FRAME
from voxbus_contracts import Message
from voxbus_contracts.commands import ControlCall, EndCall
from voxbus_contracts.events import (
    CallRinging,
    CallStarted,
    HandoffCompleted,
    MediaAttached,
    MediaDetached,
    UsageRecorded,
)
from voxbus_contracts.told.call_messages import CallMessages
from voxbus_media_ingress import metrics
from voxbus_media_ingress.admission import Admission
from voxbus_media_ingress.agent_side import AgentSide
from voxbus_media_ingress.alarm import now_ms
from voxbus_media_ingress.ending import BROKEN, NOT_CLAIMED, REPLACED, Ending
from voxbus_media_ingress.inbound import error_text
from voxbus_media_ingress.opening import Opening, stored_agent_frames
from voxbus_media_ingress.playout import PlaybackEvent, Playout
from voxbus_media_ingress.playout_spans import PlayoutSpans
from voxbus_media_ingress.publisher import Publisher
from voxbus_media_ingress.ring_back import RingBack
from voxbus_media_ingress.settings import Settings
from voxbus_media_ingress.telling import Teller
from voxbus_media_ingress.transport import Transport
from voxbus_runtime.claims import put_claims
from voxbus_runtime.errors import NotStored, OwnershipLost
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.tasks import end

WORKER_NOT_AVAILABLE: Final = "call.in-progress.error-vapifault-worker-not-available"
HUNG_UP: Final = "customer-ended-call"
_LAST_WORDS_S: Final = 2.0

OnMessage = Callable[["Attachment", Message, int], None]
OnText = Callable[["Attachment", str], None]


class Attachment:
    """Owns media-ingress of its call until it ends or a newer one is there. Not used again afterwards."""

    def __init__(self, call: OwnedCall, transport: Transport, opening: Opening, settings: Settings) -> None:
        self.call = call
        self.publisher = Publisher(call)
        self.line = transport.line
        self.caller = transport.caller
        self.clock = transport.caller.clock
        self.clock.start_at(opening.pts_ms)
        self._transport = transport
        self._opening = opening
        self._settings = settings
        self._refill = asyncio.Event()
        self._ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        playout = Playout(self.clock, opening.past.done_seq, opening.played_frames)
        self.agent = AgentSide(playout, transport.fmt, self.line, self.publisher, self._on_playback, self._refill.set)
        messages = CallMessages(call.config, lambda speaking: speaking.assistant.client_messages)
        self.teller = Teller(messages, self.line.text)
        missing = set(call.config.stages) - opening.past.claimed
        self.admission = Admission(missing, self._keep_waiting, self._answer, self._give_up)
        self._ring_back = RingBack(settings.media_ring_back, transport.fmt, self.line.audio)
        self._call_is_over = asyncio.Event()
        self._spans = PlayoutSpans()
        for logged in call.history:
            self._spans.on_message(logged.message, logged.envelope.traceparent)

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self, on_message: OnMessage, on_text: OnText) -> Ending:
        """Serves the transport until it is gone, replaced or the call is over; then says so."""
        undo = (
            self.call.bus.on_disconnect(self._on_bus_lost),
            self.call.bus.on_reconnect(self._on_bus_back),
        )
        work = (self.publisher.run(), self._refill_for_ever(), self._watch_fence())
        tasks = [self._start(coroutine) for coroutine in work]
        try:
            await self._guarded(self._open())
            tasks.append(self._start(self._follow(on_message)))
            self._transport.serve(lambda text: on_text(self, text), self.end)
            await self._close(await self._ended)
        finally:
            self.teller.stop()
            self._stop_waiting()
            for stop in undo:
                stop()
            await end(*tasks)
            self.publisher.said.forget()
        return self._ended.result()

    @property
    def is_over(self) -> bool:
        """The call has ended, or is about to."""
        return self._call_is_over.is_set() or (self._ended.done() and self._ended.result().clean)

    @property
    def can_come_back(self) -> bool:
        """The caller may connect again to the same URL and goes on where it was."""
        return self.call.config.transport.is_resumable

    async def wait_for_the_end(self) -> bool:
        """After `run`: True once the call has ended, False when it is another attachment's by then."""
        following = asyncio.ensure_future(self._follow(_nobody_listens))
        fenced = asyncio.ensure_future(self.call.fenced.wait())
        try:
            if not self._call_is_over.is_set():
                await asyncio.wait({following, fenced}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(following, fenced)
        return self._call_is_over.is_set() and not self.call.fenced.is_set()

    def end(self, ending: Ending) -> None:
        """The first reason counts."""
        if not self._ended.done():
            self._ended.set_result(ending)

    async def _open(self) -> None:
        call, past = self.call, self._opening.past
        self.publisher.say(
            MediaAttached(
                attachment=call.epoch,
                transport=call.config.transport.provider,
                encoding=call.config.transport.encoding,
                sample_rate_hz=call.config.transport.sample_rate_hz,
                pts_ms=self._opening.pts_ms,
                resumed=self._opening.is_resumed,
            )
        )
        self._restore()
        if not past.has_rung:
            self._say_and_tell(CallRinging())
        await call.subscribe_audio("agent", self.agent.on_frame)
        for pts_ms in self._opening.pause_pts_ms:
            self.publisher.caller(pts_ms, SILENCE_FRAME, filled=True, origin_unix_us=0)
        self.caller.start(self.publisher, self.agent.echo)
        self.agent.start()
        if self._opening.is_resumed:
            self._refill.set()
            self.teller.tell_status()
        if not past.has_started:
            await put_claims(call.bus, call.config)
            self.admission.wait(self._settings.media_claims_timeout_ms)

    def _restore(self) -> None:
        """What was said to earlier attachments holds for this one."""
        self.teller.restore(self.call.history)
        past = self._opening.past
        self.caller.muted = past.mutes.customer
        self.agent.tell(self._restore_playout)

    def _restore_playout(self, playout: Playout, at_ms: float) -> None:
        past = self._opening.past
        playout.assistant_muted = past.mutes.assistant
        for say in past.says.values():
            playout.on_say(say, at_ms)
        for seq, anchor_pts_ms in past.released.items():
            playout.on_release((seq,), anchor_pts_ms, at_ms)
        if past.is_paused:
            playout.on_pause(at_ms)
        if past.cancelled_seq:
            playout.on_cancel(past.cancelled_seq, at_ms)
        if past.unanswered_clear_seq:
            playout.on_clear(past.unanswered_clear_seq, at_ms)

    async def _close(self, ending: Ending) -> None:
        self.agent.stop()
        if ending.is_heard_out:
            await self.publisher.flush()
            await self._transport.close(ending)
        self.caller.stop()
        was_waiting = self._stop_waiting()
        if ending.is_fenced:
            await self._transport.close(ending)
            return
        if ending.fault is not None:
            self.publisher.say(ending.fault)
        if was_waiting and ending.clean:
            self.publisher.say(EndCall(reason=HUNG_UP))
        pts_ms = self.clock.next_pts_ms
        self.publisher.say(
            MediaDetached(
                attachment=self.call.epoch, pts_ms=pts_ms, clean=ending.clean, code=ending.code, reason=ending.reason
            )
        )
        provider = self.call.config.transport.provider
        quantity_ms = pts_ms - self._opening.pts_ms
        self.publisher.say(UsageRecorded(item="transport", provider=provider, unit="ms", quantity=quantity_ms))
        if ending.hears_the_end:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._call_is_over.wait(), _LAST_WORDS_S)
        await self.publisher.flush()
        if not ending.is_heard_out:
            await self._transport.close(ending)

    # --- tasks -------------------------------------------------------------------------------------------------

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._guarded(coroutine))

    async def _guarded(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except OwnershipLost:
            self.end(REPLACED)
        except Exception:
            self.call.log.exception("a task of the attachment failed")
            self.end(BROKEN)

    async def _follow(self, on_message: OnMessage) -> None:
        async for logged in self.call.messages():
            if logged.name == "call.ended":
                self._call_is_over.set()
            if logged.message is not None:
                self._spans.on_message(logged.message, logged.envelope.traceparent)
                if isinstance(logged.message, HandoffCompleted):
                    await self.call.spoken_by(logged.message.member)
                    self.teller.learn(self.call.config)
                on_message(self, logged.message, logged.envelope.occurred_at_ms)

    async def _watch_fence(self) -> None:
        await self.call.fenced.wait()
        self.end(REPLACED)

    async def _refill_for_ever(self) -> None:
        """Reads agent frames back from the stream when some are missing."""
        while True:
            await self._refill.wait()
            self._refill.clear()
            with contextlib.suppress(NotStored):
                async for frame in stored_agent_frames(self.call):
                    self.agent.on_stored_frame(frame)
                self.agent.start()

    async def _on_bus_lost(self) -> None:
        await self.publisher.said.on_disconnect()
        self.agent.bus_lost()

    async def _on_bus_back(self) -> None:
        await self.publisher.said.on_reconnect()
        self.agent.tell(lambda playout, at_ms: playout.holes.bus_back(at_ms))
        self._refill.set()

    def _on_playback(self, event: PlaybackEvent) -> None:
        self._spans.on_playback(event)
        self.teller.tell(event)

    # --- being answered ----------------------------------------------------------------------------------------

    def _keep_waiting(self, missing: list[str]) -> None:
        self.call.log.info("the call waits for a free worker", stages=missing)
        self._ring_back.start()
        self.teller.tell_waiting(missing)

    def _stop_waiting(self) -> bool:
        """Whether it did wait."""
        was_waiting = self.admission.is_waiting
        self.admission.stop()
        self._ring_back.stop()
        return was_waiting

    def _answer(self) -> None:
        self._ring_back.stop()
        setup_ms = int(now_ms() - self._transport.arrived_ms)
        self._say_and_tell(CallStarted(pts_ms=self.clock.next_pts_ms, setup_ms=setup_ms))

    def _give_up(self, missing: list[str]) -> None:
        self.call.log.warning("no worker took the call", stages=missing)
        self._ring_back.stop()
        metrics.UNANSWERED.labels(",".join(missing)).inc()
        what = no_free_slot(missing, self._settings.media_claims_timeout_ms)
        self.line.text(error_text("worker-not-available", what))
        self.publisher.say(EndCall(reason=WORKER_NOT_AVAILABLE, message=what))
        self.end(NOT_CLAIMED)

    def order(self, command: ControlCall) -> None:
        """A mute or unmute that came here: logged, then obeyed, so that the next attachment obeys it, too."""
        self.publisher.say(command, then=lambda: self.control(command.control))

    def control(self, control: str) -> None:
        """Obeys a mute or unmute that is on the log."""
        mutes = self._opening.past.mutes
        mutes.obey(control)
        self.caller.muted = mutes.customer
        self.agent.mute(mutes.assistant)

    def _say_and_tell(self, message: CallRinging | CallStarted) -> None:
        self.publisher.say(message)
        self.teller.tell(message)


def no_free_slot(missing: list[str], waited_ms: int) -> str:
    """Why a call is refused, for a person."""
    return (
        f"no {' and no '.join(missing)} had a free slot for this call within {waited_ms / 1_000:g} s: "
        "try again later, or start more workers of it"
    )


def _nobody_listens(_: Attachment, __: Message, ___: int) -> None:
    """The transport is gone."""
