"""How far each lane has come, and dead letters: what outlives the process that delivers."""

from typing import Protocol

from nats.js.errors import NotFoundError

from voxbus_contracts import CallRef
from voxbus_contracts.config import CallConfig
from voxbus_contracts.delivery import AGAIN, DeadLetter, Delivery
from voxbus_contracts.streams import DELIVERIES, LANES
from voxbus_runtime.bus import Bus
from voxbus_tool_runner.deliveries.lane import Lane


class Kept(Protocol):
    """Every method raises what the bus raises when it is away."""

    async def lane(self, ref: CallRef, target: str) -> Lane: ...

    async def save(self, ref: CallRef, target: str, lane: Lane) -> None: ...

    async def is_there(self, seq: int) -> bool:
        """Is the delivery with this sequence still in the stream?"""
        ...

    async def bury(self, letter: DeadLetter) -> None: ...

    async def forget_before(self, delivery: Delivery, seq: int) -> None:
        """Deliveries of the lane before `seq`; the last stays, for it says what was told."""
        ...

    async def config(self, ref: CallRef) -> CallConfig | None: ...


class LanesOnBus:
    """In the bucket of lanes and the two streams."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def lane(self, ref: CallRef, target: str) -> Lane:
        entry = await self._bus.kv_get(LANES.name, ref.lane_key(target))
        return Lane.read(entry.value) if entry is not None and entry.value else Lane()

    async def save(self, ref: CallRef, target: str, lane: Lane) -> None:
        await self._bus.kv_put(LANES.name, ref.lane_key(target), lane.payload())

    async def is_there(self, seq: int) -> bool:
        try:
            await self._bus.js.get_msg(DELIVERIES.name, seq)
        except NotFoundError:
            return False
        return True

    async def bury(self, letter: DeadLetter) -> None:
        await self._bus.js.publish(letter.subject, letter.delivery.payload(), headers=letter.headers())

    async def forget_before(self, delivery: Delivery, seq: int) -> None:
        upto = seq + 1 if delivery.target == AGAIN else seq
        await self._bus.js.purge_stream(DELIVERIES.name, subject=delivery.subject, seq=upto)

    async def config(self, ref: CallRef) -> CallConfig | None:
        return await self._bus.read_config(ref)
