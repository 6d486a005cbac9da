"""The life of a service that only serves durable consumers."""

from collections.abc import Awaitable, Callable

from voxbus_bus.broker import EventBroker


async def _nothing() -> None:
    return


class ConsumerComponent:
    """Reads from `start` to `drain`; owns no calls, so there are none to give back."""

    slots = 0

    def __init__(self, broker: EventBroker, *, on_close: Callable[[], Awaitable[None]] = _nothing) -> None:
        self._broker = broker
        self._on_close = on_close

    async def start(self) -> None:
        await self._broker.start()

    async def drain(self) -> int:
        await self._broker.stop()
        return 0

    async def close(self) -> None:
        await self._on_close()

    def calls(self) -> list[str]:
        return []
