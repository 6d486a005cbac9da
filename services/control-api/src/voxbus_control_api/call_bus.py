"""What the API says on the bus about a call."""

import asyncio
from typing import Final

from voxbus_bus import FactPublisher
from voxbus_contracts import CallRef, Command
from voxbus_contracts.commands import AnalyseCall, EndCall
from voxbus_contracts.config import CallConfig, Owner, config_hash
from voxbus_contracts.events import AnalysisMade, CallDeleted, CallEnded, CallQueued
from voxbus_contracts.streams import CONFIGS, DEAD_LETTERS, DELIVERIES, EVENTS, OWNERS
from voxbus_control_api.bus_away import answering
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_runtime.sealing import with_sealed_secrets
from voxbus_runtime.sequencing import LoggedMessage
from voxbus_runtime.stream_reader import last, read
from voxbus_runtime.telemetry import CALL_SPAN, PastSpan, is_traced, record

_ORCHESTRATOR: Final = "llm-orchestrator"
_MINE: Final = "control-api"
_LOOK_S: Final = 0.25
_LOOKS: Final = 180
"""45 s: an output may take 20 s, and is asked for once more where that helps."""


class CallBus:
    """One process's voice; every method raises Unavailable when the bus does not answer."""

    def __init__(self, bus: Bus, publisher: FactPublisher) -> None:
        self._bus = bus
        self._publisher = publisher

    async def store_config(self, config: CallConfig) -> None:
        """Before the call exists: without its configuration nobody can serve it."""
        async with answering():
            await self._bus.kv_put(CONFIGS.name, config.ref.config_key, config.payload())

    async def stored_config(self, ref: CallRef) -> CallConfig | None:
        async with answering():
            return await self._bus.read_config(ref)

    async def new_config(self, config: CallConfig) -> CallConfig:
        """Stores it unless the call has one; what the call has then."""
        async with answering():
            if await self._bus.kv_create(CONFIGS.name, config.ref.config_key, config.payload()) is not None:
                return config
            return await self._bus.read_config(config.ref) or config

    async def announce(self, config: CallConfig) -> None:
        queued = CallQueued(
            call_type=config.call_type,
            transport=config.transport.provider,
            config_hash=config_hash(config.payload()),
            assistant_id=config.assistant_id,
        )
        async with answering():
            await self._publisher.publish_stored(
                config.ref, queued, event_id=f"queued.{config.call}", traceparent=config.traceparent
            )

    async def live_log(self, ref: CallRef) -> list[LoggedMessage]:
        """All that is said and ordered on the call, as long as the stream keeps it."""
        async with answering():
            return await self._bus.call_log(ref)

    async def has_ended(self, ref: CallRef) -> bool:
        async with answering():
            return await self._bus.has_event(ref, "call", "ended")

    async def tell_deleted(self, ref: CallRef) -> None:
        """Whoever stores something of the call throws it away; what is on its way to its server goes too."""
        async with answering():
            await self._publisher.publish_stored(ref, CallDeleted(), event_id=f"deleted.{ref.call}")
            await self._bus.js.purge_stream(DELIVERIES.name, subject=ref.all_deliveries)
            await self._bus.js.purge_stream(DEAD_LETTERS.name, subject=ref.all_dead_letters)

    async def command(self, ref: CallRef, command: Command) -> None:
        async with answering():
            config = await self._bus.read_config(ref)
            command = with_sealed_secrets(command, self._bus.cluster_key)
            await self._publisher.publish_stored(ref, command, traceparent=config.traceparent if config else "")

    async def analysed(self, ref: CallRef, command: AnalyseCall) -> AnalysisMade | None:
        """Has a structured output read out of a call; None when nobody answers in time."""
        async with answering():
            seq = await self._publisher.publish_stored(ref, command)
            for _ in range(_LOOKS):
                if (made := await self._made(ref, command.run, seq)) is not None:
                    return made
                await asyncio.sleep(_LOOK_S)
            return None

    async def _made(self, ref: CallRef, run: str, from_seq: int) -> AnalysisMade | None:
        async for stored in read(self._bus.nc, EVENTS.name, AnalysisMade.subject(ref), from_seq=from_seq):
            made = AnalysisMade.model_validate_json(stored.data)
            if made.run == run:
                return made
        return None

    async def asked_to_end(self, ref: CallRef) -> EndCall | None:
        """The newest command to end the call, None when nobody gave one."""
        async with answering():
            stored = await last(self._bus.nc, EVENTS.name, EndCall.subject(ref))
            return EndCall.model_validate_json(stored.data) if stored is not None else None

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool:
        """Takes the orchestrator's part of the call, if nobody ever had it, and ends the call."""
        async with answering():
            if await self._bus.has_event(ref, "call", "ended"):
                return True
            revision = await self._take(ref)
            if revision is None:
                return False
            ended = CallEnded(pts_ms=0, reason=reason, message=message)
            await self._publisher.publish_stored(ref, ended, event_id=f"unclaimed.{ref.call}")
            await self._bus.kv_delete(OWNERS.name, ref.owner_key(_ORCHESTRATOR), revision)
            await self._record_call(ref, reason)
            return True

    async def _record_call(self, ref: CallRef, reason: str) -> None:
        """The root of the call's trace; whoever ends a call records it."""
        config = await self._bus.read_config(ref) if is_traced() else None
        if config is not None:
            attributes = {"voxbus.call": ref.call, "voxbus.ended_reason": reason}
            record(PastSpan(CALL_SPAN, config.created_at_ms, unix_ms(), attributes), parent="", own=config.traceparent)

    async def _take(self, ref: CallRef) -> int | None:
        """Revision of the key that is ours, from now or from an earlier try; None = an orchestrator's."""
        key = ref.owner_key(_ORCHESTRATOR)
        owner = Owner(worker=self._bus.worker)
        revision = await self._bus.kv_create(OWNERS.name, key, owner.payload())
        if revision is not None:
            return revision
        entry = await self._bus.kv_get(OWNERS.name, key)
        if entry is None or not entry.value:
            return None
        held = Owner.model_validate_json(entry.value)
        is_mine = held.worker == self._bus.worker or held.worker.startswith(_MINE)
        return entry.revision if is_mine else None
