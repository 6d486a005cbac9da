"""Makes an ended call's recording of its segments: once in effect, whoever recorded them, however often it is asked."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from structlog.stdlib import BoundLogger

from voxbus_audio import FRAME_MS
from voxbus_bus import Again, FactPublisher
from voxbus_contracts import BadPayload, CallRef, UnknownMessage, decode
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import FaultRaised, RecordingStored
from voxbus_contracts.identity import RECORDER
from voxbus_contracts.message import Message
from voxbus_contracts.streams import EVENTS, OWNERS
from voxbus_objects import ObjectStore, keys
from voxbus_recorder import metrics
from voxbus_recorder.assembling import assemble
from voxbus_recorder.courier import Courier
from voxbus_recorder.cutting import Cutter
from voxbus_recorder.segment import pack
from voxbus_recorder.shelf import Known, Shelf, read_shelf
from voxbus_recorder.span import Span, missing, span_of
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_runtime.errors import NotStored
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.stream_reader import last

_LOOK_AGAIN_S: Final = 0.5
_SETTLE_MS: Final = 1_000
"""Where the last frame was is said a moment after the call's end."""
_LATE_TRIES: Final = 60
_LATE_RETRY_S: Final = 5.0
_MENDER: Final = 0
"""Epoch of segments made from the stream when the call was over: no worker's."""


@dataclass(frozen=True, slots=True)
class Finisher:
    """What finishing needs."""

    bus: Bus
    store: ObjectStore
    courier: Courier
    publisher: FactPublisher
    worker: str
    log: BoundLogger

    async def finish(self, ref: CallRef, ended_at_ms: int = 0) -> None:
        """Raises Again while somebody still records it, ObjectFault or NotStored when it must be tried again."""
        config = await self.bus.read_config(ref)
        if config is None or not config.is_recorded or await self.bus.has_event(ref, "call", "deleted"):
            return
        if unix_ms() - ended_at_ms < _SETTLE_MS or await self._is_being_recorded(ref):
            raise Again(_LOOK_AGAIN_S)
        if not await self.bus.has_event(ref, "media", "attached"):
            metrics.RECORDINGS.labels("never-answered").inc()
            return
        begun_s = time.monotonic()
        shelf = await read_shelf(self.store, ref)
        past = await self._past_recording(ref)
        if past is not None and not past.missing_ms:
            await shelf.clear()
            return
        await self._make(config, shelf)
        metrics.ASSEMBLY_SECONDS.observe(time.monotonic() - begun_s)

    async def finish_late(self, ref: CallRef) -> None:
        """Segments came after the recording was made without them: it is made again. Never raises."""
        for _ in range(_LATE_TRIES):
            try:
                if not await self.bus.has_event(ref, "call", "ended"):
                    return
                await self.finish(ref)
                return
            except Again as wish:
                await asyncio.sleep(wish.delay_s)
            except Exception as problem:  # noqa: BLE001  # whatever it is, the other calls go on
                self.log.warning("recording is not made again yet", call=ref.call, problem=type(problem).__name__)
                await asyncio.sleep(_LATE_RETRY_S)

    async def _make(self, config: CallConfig, shelf: Shelf) -> None:
        ref = config.ref
        messages = await self._life_of(ref)
        known = await shelf.known()
        span = span_of(messages, known.last_slot)
        if span is None:
            metrics.RECORDINGS.labels("never-answered").inc()
            await shelf.clear()
            return
        if missing(span, known.caller) or known.broken or shelf.empty:
            shelf = await self._mended(config, shelf, known, span)
            known = await shelf.known()
            span = span_of(messages, known.last_slot) or span
        lost = missing(span, known.caller)
        files = await assemble(self.store, ref, shelf, span, config.assistant.recording_format)
        if await self.bus.has_event(ref, "call", "deleted"):
            await self.store.delete_prefix(keys.call_prefix(ref))
            return
        await self._say(
            config,
            RecordingStored(
                files=files,
                start_pts_ms=span.start_pts_ms,
                duration_ms=span.duration_ms,
                missing_ms=len(lost) * FRAME_MS,
            ),
            known,
        )
        if not lost:
            await shelf.clear()

    async def _say(self, config: CallConfig, stored: RecordingStored, known: Known) -> None:
        ref = config.ref
        for key, what in known.broken.items():
            detail = f"{key.rpartition('/')[2]}: {what}"
            await self._fault(config, "segment-broken", detail, f"{ref.call}.{key.rpartition('/')[2]}")
        if stored.missing_ms:
            detail = f"{stored.missing_ms} ms of the caller's audio are lost; silence is in their place"
            await self._fault(config, "recording-incomplete", detail, f"{ref.call}.missing.{stored.missing_ms}")
        event_id = f"recording.{ref.call}.{stored.duration_ms}.{stored.missing_ms}"
        await self.publisher.publish_stored(ref, stored, event_id=event_id, traceparent=config.traceparent)
        metrics.RECORDINGS.labels("incomplete" if stored.missing_ms else "complete").inc()
        self.log.info("recording stored", call=ref.call, ms=stored.duration_ms, missing_ms=stored.missing_ms)

    async def _fault(self, config: CallConfig, code: str, detail: str, event_id: str) -> None:
        fault = FaultRaised(code=code, detail=detail)
        await self.publisher.publish_stored(
            config.ref, fault, event_id=f"recorder.{event_id}", traceparent=config.traceparent
        )

    async def _is_being_recorded(self, ref: CallRef) -> bool:
        """An owner keeps its key until all its segments are delivered; a lost owner's key is removed by its peers."""
        entry = await self.bus.kv_get(OWNERS.name, ref.owner_key(RECORDER))
        if entry is not None and entry.value:
            return True
        return self.courier.waiting(ref) > 0

    async def _past_recording(self, ref: CallRef) -> RecordingStored | None:
        stored = await last(self.bus.nc, EVENTS.name, ref.event("recording", "stored"))
        message = decode("event", "recording.stored", stored.data) if stored is not None else None
        return message if isinstance(message, RecordingStored) else None

    async def _life_of(self, ref: CallRef) -> list[Message]:
        """What says where the recording begins and ends, in stream order.

        The whole log would cost the server that others are talking over ten times as much.
        """
        log = [logged for entity in _TELLING for logged in await self.bus.log_of(ref.event(entity, "*"))]
        found: list[Message] = []
        for logged in sorted(log, key=lambda logged: logged.stream_seq):
            try:
                found.append(decode(logged.kind, logged.name, logged.payload))
            except (UnknownMessage, BadPayload) as wrong:
                self.log.warning("message left out", call=ref.call, name=logged.name, problem=str(wrong))
        return found

    async def _mended(self, config: CallConfig, shelf: Shelf, known: Known, span: Span) -> Shelf:
        """Stores what the stream still has of the cells that are not whole; it keeps 120 s."""
        lost = missing(span, known.caller)
        first = min([*lost, *_first_slots(known.broken), span.start if shelf.empty else span.end])
        call = OwnedCall(self.bus, config, RECORDER, self.worker, frozenset())
        cutter = Cutter()
        try:
            for frame in await call.replay_audio("caller", first * FRAME_MS):
                cutter.caller(frame.pts_ms, frame.pcm)
            for frame in await call.replay_audio("played", first * FRAME_MS):
                cutter.played(frame.pts_ms, frame.pcm)
        except NotStored:
            self.log.warning("past audio cannot be read back", call=config.call)
        for number, segment in enumerate(cutter.rest(), start=1):
            await self.store.put(keys.segment(config.ref, segment.first_pts_ms, _MENDER, number), pack(segment))
        return await read_shelf(self.store, config.ref)


_TELLING: Final = ("call", "media")
"""Entities whose events say where the recording begins and ends."""


def _first_slots(segment_keys: Iterable[str]) -> list[int]:
    return [keys.parse_segment(key)[0] // FRAME_MS for key in segment_keys]
