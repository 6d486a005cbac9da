"""Puts billing together: the only file that names concrete parts."""

from importlib.resources import files

from voxbus_billing.handlers import add_handlers
from voxbus_billing.ledger import open_ledger
from voxbus_billing.prices import PriceTable, parse_prices
from voxbus_billing.settings import Settings
from voxbus_bus.broker import EventBroker
from voxbus_bus.component import ConsumerComponent
from voxbus_bus.publishing import StoredPublisher
from voxbus_runtime.service import Runtime


def read_prices(settings: Settings) -> PriceTable:
    """The table that is set, else the package's own; raises BadPriceTable or OSError at start, not in a call."""
    source = settings.billing_prices or files("voxbus_billing") / "prices.toml"
    return parse_prices(source.read_text(encoding="utf-8"))


async def wire(runtime: Runtime[Settings]) -> ConsumerComponent:
    settings = runtime.settings
    prices = read_prices(settings)
    ledger = await open_ledger(settings.data_dir / "billing" / "billing.db")
    broker = EventBroker(settings.nats_url, runtime.name, runtime.log)
    publisher = StoredPublisher(runtime.bus, "billing")
    add_handlers(broker, ledger, prices, publisher)
    return ConsumerComponent(broker, on_close=ledger.close)
