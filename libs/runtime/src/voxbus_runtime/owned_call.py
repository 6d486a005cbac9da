"""A call as the worker that owns one of its stages sees it."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Final

import nats.errors
from structlog.stdlib import BoundLogger

from voxbus_contracts import BadPayload, CallRef, Command, Envelope, Event, UnknownMessage, decode
from voxbus_contracts.config import CallConfig
from voxbus_contracts.envelope import BadEnvelope, read_envelope
from voxbus_contracts.events import StageClaimed
from voxbus_contracts.streams import AUDIO
from voxbus_contracts.subjects import AudioDirection
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.audio_frames import frames_of
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_runtime.errors import NotStored, OwnershipLost
from voxbus_runtime.fence import Fence
from voxbus_runtime.live import LiveSubscription, live_head
from voxbus_runtime.metrics import FRAME_LATENCY
from voxbus_runtime.personal import cipher_of
from voxbus_runtime.sequencing import LoggedMessage, Sequencer
from voxbus_runtime.stream_reader import last, read

ALWAYS: Final = frozenset({"stage.claimed", "call.ended"})
_ENDED: Final = frozenset({"call.ended", "chat.ended"})
_HOLE_PATIENCE_S: Final = 0.2
_RESYNC_AFTER_S: Final = (0.2, 1.0, 3.0)
_MAKER_OF: Final[dict[AudioDirection, str]] = {
    "caller": "media-ingress",
    "played": "media-ingress",
    "agent": "tts-worker",
}


class OwnedCall:
    """Made by `take_call`; everything a stage may do with its call.

    `history` and `messages()` give the same guarantees: each producer's messages in its order, none twice, none of an
    old epoch; only those named in `interests` (and always stage.claimed and call.ended).
    """

    def __init__(self, bus: Bus, config: CallConfig, stage: str, worker: str, interests: frozenset[str]) -> None:
        self.bus = bus
        self.config = config
        self.ref: CallRef = config.ref
        self.stage = stage
        self.worker = worker
        self.epoch = 0
        self.fence = Fence()
        self.history: tuple[LoggedMessage, ...] = ()
        self.leaving = asyncio.Event()
        self.fenced = asyncio.Event()
        self.log: BoundLogger = bus.log.bind(call=config.call, stage=stage)
        self._interests = interests | ALWAYS
        self._cipher = cipher_of(config, bus.cluster_key)
        self._audio_heads = {direction: live_head(self.ref.audio(direction)) for direction in _MAKER_OF}
        self._sequencer = Sequencer(self.fence)
        self._number = 0
        self._read_upto = 0
        self._early: list[LoggedMessage] | None = []
        self._ready: asyncio.Queue[LoggedMessage | None] = asyncio.Queue()
        self._subscriptions: list[LiveSubscription] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop_listening: Callable[[], None] = lambda: None
        self._filling = False
        self._is_behind = False

    # --- life --------------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Subscribes; messages wait until `begin` has folded the log."""
        for subject in (self.ref.all_events, self.ref.all_commands):
            self._subscriptions.append(await self.bus.nc.subscribe_live(subject, self._on_message))
        self._stop_listening = self.bus.on_reconnect(self._resync_soon)

    async def begin(self, epoch: int, address: str) -> None:
        """The owner's first act: says so, stored; then folds the log up to there. Raises NotStored."""
        self.epoch = epoch
        claimed = StageClaimed(stage=self.stage, epoch=epoch, worker=self.worker, address=address)
        # Before, not after: on a busy machine the answer is read long after the claim was stored.
        self.claimed_unix_ms = unix_ms()
        self.claim_seq = upto = await self.publish_stored(claimed)
        log = await self.bus.call_log(self.ref, upto_seq=upto)
        ready = self._sequencer.push_all(log)
        ready += self._sequencer.give_up()
        self._read_upto = upto
        self.history = tuple(self._decoded(ready))
        early, self._early = self._early or [], None
        for message in early:
            self._push(message)

    async def close(self) -> None:
        self._stop_listening()
        for subscription in self._subscriptions:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
        for task in list(self._tasks):
            task.cancel()
        self._ready.put_nowait(None)

    @property
    def is_behind(self) -> bool:
        """The bus was away, and what was said meanwhile has not been read yet."""
        return self._is_behind

    async def spoken_by(self, member: str) -> CallConfig:
        """The configuration as it is while that assistant has the call; read again for one found meanwhile.

        One that nobody knows leaves it as it is.
        """
        if not self.config.has_member(member):
            self.config = await self.bus.read_config(self.ref) or self.config
        if not self.config.has_member(member):
            self.log.error("the call was handed to an assistant that its configuration does not have", member=member)
            return self.config
        return self.config.spoken_by(member)

    def lose(self) -> None:
        """A newer owner exists: whatever is still said here counts nowhere."""
        self.fenced.set()

    def leave(self) -> None:
        """The worker drains: finish the step and return."""
        self.leaving.set()
        self._ready.put_nowait(None)

    # --- what happens on the call ------------------------------------------------------------------------------

    async def messages(self) -> AsyncIterator[LoggedMessage]:
        """Live, from the end of `history` on; ends behind call.ended or chat.ended, or when leaving."""
        while True:
            message = await self._ready.get()
            if message is None:
                return
            yield message
            if message.name in _ENDED:
                return

    async def publish(self, message: Event | Command, *, traceparent: str = "") -> Envelope:
        """Says it on the bus now; the stream has it soon (retried until it does)."""
        envelope = self._envelope(message, traceparent)
        self.bus.outbox.publish(message.subject(self.ref), self._cipher.payload(message), envelope.headers())
        return envelope

    async def publish_stored(self, message: Event | Command) -> int:
        """Says it and waits until the stream has it: its sequence. Raises NotStored."""
        envelope = self._envelope(message, "")
        payload = self._cipher.payload(message)
        return await self.bus.outbox.stored(message.subject(self.ref), payload, envelope.headers())

    def order(self, command: Command) -> None:
        """Puts somebody else's order on the bus: unnumbered, so it counts whoever owns the stage by then."""
        envelope = Envelope(
            event_id=uuid.uuid4().hex,
            schema=command.schema_id(),
            occurred_at_ms=unix_ms(),
            producer=self.worker,
            stage="control",
        )
        self.bus.outbox.publish(command.subject(self.ref), self._cipher.payload(command), envelope.headers())

    # --- audio -------------------------------------------------------------------------------------------------

    def publish_audio(self, direction: AudioDirection, frame: AudioFrame) -> bytes:
        """Fire and forget: live audio never waits. While the bus is lost, frames are dropped here.

        Gives the frame, and `more` in it, as it was sent, for `publish_audio_again`.
        """
        payload = self.audio_payload(frame)
        self.publish_audio_again(direction, payload)
        return payload

    def audio_payload(self, frame: AudioFrame) -> bytes:
        """A frame as this owner sends it; `more` in it have its epoch already."""
        frame.epoch = self.epoch
        return frame.SerializeToString()

    def publish_audio_again(self, direction: AudioDirection, payload: bytes) -> None:
        """Sends a frame once more; readers drop those they know."""
        if not self.fenced.is_set():
            self.bus.nc.publish_live(self._audio_heads[direction], payload)

    async def subscribe_audio(
        self, direction: AudioDirection, on_frame: Callable[[AudioFrame], None]
    ) -> LiveSubscription:
        """`on_frame` for each live frame that is not of an old epoch, in arrival order."""
        maker = _MAKER_OF[direction]
        parse, accepts, wall_ns = AudioFrame.FromString, self.fence.accepts, time.time_ns
        observe = FRAME_LATENCY.observe if direction == "caller" else None

        def on_message(_subject: str, _headers: dict[str, str] | None, payload: bytes) -> None:
            frame = parse(payload)
            if observe is not None and frame.origin_unix_us and not frame.filled:
                observe(wall_ns() / 1e6 - frame.origin_unix_us / 1e3)
            if accepts(maker, frame.epoch):
                on_frame(frame)
                for more in frame.more:
                    on_frame(more)

        subscription = await self.bus.nc.subscribe_live(self.ref.audio(direction), on_message)
        self._subscriptions.append(subscription)
        return subscription

    async def replay_audio(
        self, direction: AudioDirection, from_pts_ms: int, upto_pts_ms: int | None = None
    ) -> list[AudioFrame]:
        """Stored frames by pts, each pts once (the newest epoch's). At most the last 120 s are stored."""
        subject = self.ref.audio(direction)
        newest = await last(self.bus.nc, AUDIO.name, subject)
        if newest is None:
            return []
        back_ms = frames_of(newest.data)[-1].pts_ms - from_pts_ms
        if back_ms < 0:
            return []
        found: dict[int, AudioFrame] = {}
        since_ms = newest.stored_at_ms - back_ms - 1_000
        async for stored in read(self.bus.nc, AUDIO.name, subject, since_ms=since_ms):
            for frame in frames_of(stored.data):
                inside = frame.pts_ms >= from_pts_ms and (upto_pts_ms is None or frame.pts_ms < upto_pts_ms)
                known = found.get(frame.pts_ms)
                if inside and (known is None or known.epoch < frame.epoch):
                    found[frame.pts_ms] = frame
        return [found[pts] for pts in sorted(found)]

    # --- inside ------------------------------------------------------------------------------------------------

    def _envelope(self, message: Event | Command, traceparent: str) -> Envelope:
        if self.fenced.is_set():
            raise OwnershipLost(f"{self.stage} of {self.ref} belongs to a newer epoch than {self.epoch}")
        self._number += 1
        return Envelope(
            event_id=f"{self.ref.call}.{self.stage}.{self.epoch}.{self._number}",
            schema=message.schema_id(),
            occurred_at_ms=unix_ms(),
            producer=self.worker,
            stage=self.stage,
            epoch=self.epoch,
            number=self._number,
            traceparent=traceparent or self.config.traceparent,
        )

    def _on_message(self, subject: str, headers: dict[str, str] | None, payload: bytes) -> None:
        kind, _, _, _, _, entity, what = subject.split(".")
        try:
            envelope = read_envelope(headers)
        except BadEnvelope as wrong:
            self.log.warning("message without a valid envelope is left out", subject=subject, problem=str(wrong))
            return
        logged = LoggedMessage(envelope, "event" if kind == "event" else "command", f"{entity}.{what}", payload)
        if self._early is not None:
            self._early.append(logged)
        else:
            self._push(logged)

    def _push(self, message: LoggedMessage) -> None:
        envelope = message.envelope
        if envelope.stage == self.stage and envelope.epoch == self.epoch and envelope.number:
            return  # our own
        self._give(self._sequencer.push(message))
        if self._sequencer.waiting and not self._filling:
            self._filling = True
            self._spawn(self._fill_hole())

    def _give(self, ready: list[LoggedMessage]) -> None:
        for message in self._decoded(ready):
            if message.name == "stage.claimed" and self.fence.current(self.stage) > self.epoch:
                self.lose()
            self._ready.put_nowait(message)

    def _decoded(self, messages: list[LoggedMessage]) -> list[LoggedMessage]:
        out: list[LoggedMessage] = []
        for message in messages:
            if message.name not in self._interests:
                continue
            try:
                payload = self._cipher.opened(message.payload)
                body = decode(message.kind, message.name, payload)
            except (UnknownMessage, BadPayload) as wrong:
                self.log.warning("message left out", name=message.name, problem=str(wrong))
                continue
            out.append(LoggedMessage(message.envelope, message.kind, message.name, payload, body, message.stream_seq))
        return out

    async def _fill_hole(self) -> None:
        """A predecessor is missing: perhaps late, perhaps lost on the way here; the stream has it."""
        deadline = time.monotonic() + _HOLE_PATIENCE_S * 20
        while self._sequencer.waiting and time.monotonic() < deadline:
            await asyncio.sleep(_HOLE_PATIENCE_S)
            await self._resync()
        if self._sequencer.waiting:
            self.log.error("messages are missing for good, going on without them")
            self._give(self._sequencer.give_up())
        self._filling = False

    async def _resync(self) -> None:
        try:
            log = await self.bus.call_log(self.ref, from_seq=self._read_upto + 1)
        except NotStored:
            return
        own = (self.stage, self.epoch)
        foreign = [m for m in log if (m.envelope.stage, m.envelope.epoch) != own or not m.envelope.number]
        self._give(self._sequencer.push_all(foreign))
        if log and not self._sequencer.waiting:
            self._read_upto = log[-1].stream_seq
        self._is_behind = False

    async def _resync_soon(self) -> None:
        """After a reconnect others may have spoken while we were deaf, or speak before we listen again."""
        self._is_behind = True
        self._spawn(self._resync_later())

    async def _resync_later(self) -> None:
        waited_s = 0.0
        for at_s in _RESYNC_AFTER_S:
            await asyncio.sleep(at_s - waited_s)
            waited_s = at_s
            await self._resync()
        while self._is_behind:
            await asyncio.sleep(_RESYNC_AFTER_S[-1])
            await self._resync()

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
