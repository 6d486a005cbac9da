"""Puts the recorder together: the only file that names concrete parts."""

import asyncio

from voxbus_bus import EventBroker
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.events import FaultRaised
from voxbus_contracts.identity import RECORDER
from voxbus_objects import open_store
from voxbus_recorder.archiving import Archiver
from voxbus_recorder.courier import Courier
from voxbus_recorder.expiring import Expiry, expire_for_ever
from voxbus_recorder.finishing import Finisher
from voxbus_recorder.handlers import INTERESTS, add_handlers, serve_with
from voxbus_recorder.settings import Settings
from voxbus_recorder.spool import Spool
from voxbus_runtime.claims import StageWorker
from voxbus_runtime.service import Runtime


class RecorderComponent:
    """The live part (calls this worker owns) and the durable one (calls that ended), as one."""

    def __init__(self, stage: StageWorker, broker: EventBroker, courier: Courier) -> None:
        self.slots = stage.slots
        self._stage = stage
        self._broker = broker
        self._courier = courier

    async def start(self) -> None:
        await self._courier.adopt()
        await self._stage.start()
        await self._broker.start()

    async def drain(self) -> int:
        released = await self._stage.drain()
        await self._broker.stop()
        await self._courier.put_by()
        return released

    async def close(self) -> None:
        await self._stage.close()

    def calls(self) -> list[str]:
        return self._stage.calls()


async def wire(runtime: Runtime[Settings]) -> RecorderComponent:
    """Raises BadStoreAddress when the object store's URL cannot be used."""
    settings, bus, log = runtime.settings, runtime.bus, runtime.log
    store = await asyncio.to_thread(open_store, settings.objects_address)

    def say(ref: CallRef, code: str, detail: str, retryable: bool) -> None:
        fault = FaultRaised(code=code, detail=detail, retryable=retryable)
        runtime.spawn(bus.publish_event(ref, fault, stage=RECORDER), "say-fault")

    courier = Courier(store, Spool(settings.spool_folder), settings.recorder_memory_bytes, log, say)
    publisher = StoredPublisher(bus, RECORDER)
    finisher = Finisher(bus, store, courier, publisher, runtime.worker, log)
    archiver = Archiver(bus, store, publisher, settings.recorder_settle_ms, log)
    broker = EventBroker(settings.nats_url, runtime.name, log)
    add_handlers(broker, finisher, archiver, store)

    def on_late(ref: CallRef) -> None:
        runtime.spawn(finisher.finish_late(ref), "finish-late")

    courier.on_late(on_late)
    runtime.spawn(courier.run(), "courier")
    expiry = Expiry(settings.recorder_keep_days, settings.recorder_keep_archives_days)
    runtime.spawn(expire_for_ever(store, expiry, log), "expiry")
    stage = StageWorker(runtime, RECORDER, serve_with(store, courier), INTERESTS)
    return RecorderComponent(stage, broker, courier)
