"""Puts billing together: the only file that names concrete parts."""

import asyncio
import time
from importlib.resources import files
from typing import Any

from voxbus_billing.handlers import Counting, add_handlers
from voxbus_billing.ledger import Ledger, open_ledger
from voxbus_billing.price_file import parse_prices
from voxbus_billing.prices import PriceList
from voxbus_billing.settings import Settings
from voxbus_bus.broker import EventBroker
from voxbus_bus.publishing import StoredPublisher
from voxbus_database import sqlite_url
from voxbus_runtime.service import Runtime
from voxbus_runtime.tasks import end


class Billing:
    """Counts from `start` to `drain`; owns no calls."""

    slots = 0

    def __init__(self, runtime: Runtime[Settings], broker: EventBroker, ledger: Ledger, counting: Counting) -> None:
        self._runtime = runtime
        self._broker = broker
        self._ledger = ledger
        self._counting = counting
        self._telling: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        adopted = await self._ledger.adopt()
        if adopted:
            self._runtime.log.info("booked what was counted before there was a journal", events=adopted)
        self._telling = self._runtime.spawn(self._counting.tell_owed(), "tell-owed")
        await self._broker.start()

    async def drain(self) -> int:
        await self._broker.stop()
        if self._telling is not None:
            await end(self._telling)
        return 0

    async def close(self) -> None:
        await self._ledger.close()

    def calls(self) -> list[str]:
        return []


def read_prices(settings: Settings) -> PriceList:
    """The list that is set, else the package's own; raises BadPriceTable or OSError at start, not in a call."""
    source = settings.billing_prices or files("voxbus_billing") / "prices.toml"
    return parse_prices(source.read_text(encoding="utf-8"))


async def ledger_of(settings: Settings) -> Ledger:
    """The ledger that these settings name, migrated; raises BadPriceTable, OSError or DatabaseFault."""
    default = sqlite_url(settings.data_dir / "billing" / "billing.db")
    return await open_ledger(settings.database_or(default), read_prices(settings))


async def wire(runtime: Runtime[Settings]) -> Billing:
    settings = runtime.settings
    ledger = await ledger_of(settings)
    broker = EventBroker(settings.nats_url, runtime.name, runtime.log)
    counting = Counting(ledger, StoredPublisher(runtime.bus, "billing"), lambda: time.monotonic_ns() // 1_000_000)
    add_handlers(broker, counting)
    return Billing(runtime, broker, ledger, counting)
