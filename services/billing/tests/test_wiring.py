from decimal import Decimal
from pathlib import Path

from voxbus_billing.prices import ITEMS
from voxbus_billing.settings import Settings
from voxbus_billing.wiring import read_prices


def test_the_packages_own_table_prices_every_item_at_nothing() -> None:
    table = read_prices(Settings())
    for item in ITEMS:
        price = table.at(0).find(item, "anyone", "anything")
        assert price.rates, item
        assert set(price.rates.values()) == {Decimal(0)}


def test_a_table_of_ones_own_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nitem = "vapi"\nper_minute = "0.05"', encoding="utf-8")
    table = read_prices(Settings(billing_prices=path))
    assert table.at(0).find("vapi", "vapi", "").rates == {"per_minute": Decimal("0.05")}
