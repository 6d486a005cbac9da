"""One transport of a call, from its arrival to its end: the shell around the clock, the playout and the messages."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from voxbus_audio import WireFormat, wire_format
from voxbus_contracts import Message
from voxbus_contracts.commands import EndCall
from voxbus_contracts.events import CallRinging, CallStarted, MediaAttached, MediaDetached, UsageRecorded
from voxbus_media_ingress.agent_side import AgentSide
from voxbus_media_ingress.alarm import Alarm, now_ms
from voxbus_media_ingress.caller_side import CallerSide
from voxbus_media_ingress.client_messages import ClientMessages
from voxbus_media_ingress.clock import CallerClock
from voxbus_media_ingress.ending import BROKEN, NOT_CLAIMED, REPLACED, STUCK, Ending, socket_closed
from voxbus_media_ingress.inbound import error_text
from voxbus_media_ingress.line import CallerLine
from voxbus_media_ingress.opening import Opening, stored_agent_frames
from voxbus_media_ingress.playout import PlaybackEvent, Playout
from voxbus_media_ingress.publisher import Publisher
from voxbus_media_ingress.settings import Settings
from voxbus_runtime.claims import put_claims
from voxbus_runtime.errors import NotStored, OwnershipLost
from voxbus_runtime.owned_call import OwnedCall

WORKER_NOT_AVAILABLE: Final = "call.in-progress.error-vapifault-worker-not-available"
_LAST_WORDS_S: Final = 2.0
_FLUSH_S: Final = 1.0

OnMessage = Callable[["Attachment", Message, int], None]
OnText = Callable[["Attachment", str], None]


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


class Attachment:
    """Owns media-ingress of its call until it ends or a newer one is there. Not used again afterwards."""

    def __init__(self, call: OwnedCall, socket: ServerConnection, opening: Opening, settings: Settings) -> None:
        self.call = call
        self.publisher = Publisher(call)
        self.line = CallerLine(socket, settings.media_stuck_ms, lambda: self.end(STUCK))
        self._socket = socket
        self._opening = opening
        self._settings = settings
        self._arrived_ms = now_ms()
        self._ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.clock = CallerClock(opening.pts_ms, self._arrived_ms)
        fmt = _format_of(call)
        self.caller = CallerSide(self.clock, fmt, self.publisher, self.line.text)
        playout = Playout(self.clock, opening.past.done_seq, opening.played_frames)
        self.agent = AgentSide(playout, fmt, self.line, self.publisher, self._on_playback, self._refill_soon)
        self._messages = ClientMessages(call.config.assistant, call.ref.call, call.config.assistant_id)
        self._hang_alarm = Alarm(self._on_hang_time)
        self._missing = set(call.config.stages) - opening.past.claimed
        self._claims_alarm = Alarm(lambda _: self._give_up_waiting())
        self._refill: asyncio.Event = asyncio.Event()
        self._call_is_over = asyncio.Event()

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self, on_message: OnMessage, on_text: OnText) -> Ending:
        """Serves the transport until it is gone, replaced or the call is over; then says so."""
        undo = (
            self.call.bus.on_disconnect(self.publisher.on_disconnect),
            self.call.bus.on_reconnect(self._on_bus_back),
        )
        work = (self.line.run(), self.publisher.run(), self._refill_for_ever(), self._watch_fence())
        tasks = [self._start(coroutine) for coroutine in work]
        try:
            await self._guarded(self._open())
            tasks.append(self._start(self._follow(on_message)))
            reading = self._start(self._read(on_text))
            tasks.append(reading)
            ending = await self._ended
            reading.cancel()
            await self._close(ending)
        finally:
            self._stop_timers()
            for stop in undo:
                stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return ending

    @property
    def is_over(self) -> bool:
        """The call has ended, or is about to."""
        return self._call_is_over.is_set() or (self._ended.done() and self._ended.result().clean)

    async def wait_for_the_end(self) -> bool:
        """After `run`: True once the call has ended, False when it is another attachment's by then."""
        following = asyncio.ensure_future(self._follow(_nobody_listens))
        fenced = asyncio.ensure_future(self.call.fenced.wait())
        try:
            if not self._call_is_over.is_set():
                await asyncio.wait({following, fenced}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (following, fenced):
                task.cancel()
            await asyncio.gather(following, fenced, return_exceptions=True)
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
        self.caller.start()
        self.agent.start()
        if self._opening.is_resumed:
            self._refill.set()
            for text in self._messages.current_status(unix_ms()):
                self.line.text(text)
        if not past.has_started:
            await put_claims(call.bus, call.config)
            self._claims_alarm.set(now_ms() + self._settings.media_claims_timeout_ms)
            self._answer_if_claimed()

    def _restore(self) -> None:
        """What was said to earlier attachments holds for this one."""
        for logged in self.call.history:
            if logged.message is not None:
                self._messages.on_message(logged.message, logged.envelope.occurred_at_ms)
        past = self._opening.past
        self.caller.muted = past.mutes.customer
        self.agent.tell(self._restore_playout)

    def _restore_playout(self, playout: Playout, at_ms: float) -> None:
        past = self._opening.past
        playout.assistant_muted = past.mutes.assistant
        for say in past.says.values():
            playout.on_say(say, at_ms)
        if past.is_paused:
            playout.on_pause(at_ms)
        if past.cancelled_seq:
            playout.on_cancel(past.cancelled_seq, at_ms)
        if past.unanswered_clear_seq:
            playout.on_clear(past.unanswered_clear_seq, at_ms)

    async def _close(self, ending: Ending) -> None:
        self.caller.stop()
        self.agent.stop()
        if ending.is_fenced:
            await self._close_socket(ending)
            return
        if ending.fault is not None:
            self.publisher.say(ending.fault)
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
        await self._close_socket(ending)

    async def _close_socket(self, ending: Ending) -> None:
        if ending.close_code is None:
            self._socket.transport.abort()
            return
        await self.line.flush(_FLUSH_S)
        await self._socket.close(ending.close_code, ending.reason)

    def _stop_timers(self) -> None:
        for alarm in (self._hang_alarm, self._claims_alarm):
            alarm.stop()

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

    async def _read(self, on_text: OnText) -> None:
        try:
            async for received in self._socket:
                if isinstance(received, str):
                    on_text(self, received)
                else:
                    await self.caller.on_bytes(received)
        except ConnectionClosed:
            pass
        protocol = self._socket.protocol
        came_first = protocol.close_rcvd if protocol.close_rcvd_then_sent else protocol.close_sent
        close = came_first or protocol.close_rcvd
        self.end(socket_closed(close.code if close else None, close.reason if close else "connection lost"))

    async def _follow(self, on_message: OnMessage) -> None:
        async for logged in self.call.messages():
            if logged.name == "call.ended":
                self._call_is_over.set()
            if logged.message is not None:
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

    async def _on_bus_back(self) -> None:
        await self.publisher.on_reconnect()
        self._refill.set()

    def _refill_soon(self) -> None:
        self._refill.set()

    # --- being claimed -----------------------------------------------------------------------------------------

    def claimed(self, stage: str) -> None:
        self._missing.discard(stage)
        self._answer_if_claimed()

    def _answer_if_claimed(self) -> None:
        """The call is answered when every stage has an owner: that is its admission."""
        if self._missing or self._opening.past.has_started:
            return
        self._opening.past.has_started = True
        self._claims_alarm.stop()
        setup_ms = int(now_ms() - self._arrived_ms)
        self._say_and_tell(CallStarted(pts_ms=self.clock.next_pts_ms, setup_ms=setup_ms))

    def _give_up_waiting(self) -> None:
        self.call.log.error("no worker took the call", stages=sorted(self._missing))
        stages = ", ".join(sorted(self._missing))
        self.line.text(error_text("worker-not-available", f"no worker is free for this call (missing: {stages})"))
        self.publisher.say(EndCall(reason=WORKER_NOT_AVAILABLE))
        self.end(NOT_CLAIMED)

    # --- what the client is told -------------------------------------------------------------------------------

    def tell(self, message: Message, at_ms: int) -> None:
        for text in self._messages.on_message(message, at_ms):
            self.line.text(text)
        self._hang_alarm_on()

    def tell_now(self, message: Message) -> None:
        self.tell(message, unix_ms())

    def control(self, control: str) -> None:
        mutes = self._opening.past.mutes
        mutes.obey(control)
        self.caller.muted = mutes.customer
        self.agent.tell(lambda playout, _: setattr(playout, "assistant_muted", mutes.assistant))

    def _say_and_tell(self, message: CallRinging | CallStarted) -> None:
        self.publisher.say(message)
        self.tell_now(message)

    def _on_playback(self, event: PlaybackEvent) -> None:
        self.tell_now(event)

    def _hang_alarm_on(self) -> None:
        due_unix_ms = self._messages.hang_due_ms
        if due_unix_ms is not None:
            self._hang_alarm.set(now_ms() + due_unix_ms - unix_ms())

    def _on_hang_time(self, _: float) -> None:
        for text in self._messages.on_time(unix_ms()):
            self.line.text(text)
        self._hang_alarm_on()


def _format_of(call: OwnedCall) -> WireFormat:
    transport = call.config.transport
    return wire_format(transport.encoding, transport.sample_rate_hz)


def _nobody_listens(_: Attachment, __: Message, ___: int) -> None:
    """The transport is gone."""
