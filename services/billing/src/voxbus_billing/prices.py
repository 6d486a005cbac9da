"""The table of prices, read from TOML. Pure."""

import tomllib
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from voxbus_billing.errors import BadPriceTable

ITEMS: Final = ("transport", "transcriber", "model", "voice", "vapi")

RATES: Final = {
    "per_minute": Decimal(60_000),
    "per_1000_characters": Decimal(1_000),
    "per_million_prompt_tokens": Decimal(1_000_000),
    "per_million_cached_prompt_tokens": Decimal(1_000_000),
    "per_million_completion_tokens": Decimal(1_000_000),
}
"""How many units (ms, characters, tokens) one price is for."""

_OF_ITEM: Final = {
    "transport": {"per_minute"},
    "transcriber": {"per_minute"},
    "vapi": {"per_minute"},
    "voice": {"per_1000_characters"},
    "model": {"per_million_prompt_tokens", "per_million_cached_prompt_tokens", "per_million_completion_tokens"},
}


@dataclass(frozen=True, slots=True)
class Price:
    """One row: what it fits and what it costs, US dollars."""

    item: str
    provider: str = "*"
    model: str = "*"
    rates: dict[str, Decimal] = field(default_factory=dict[str, Decimal])

    def fits(self, item: str, provider: str, model: str) -> bool:
        return self.item == item and self.provider in ("*", provider) and self.model in ("*", model)

    def charge(self, rate: str, units: int) -> Decimal:
        """Price of `units`; 0 where the row names no such rate."""
        return self.rates.get(rate, Decimal(0)) * units / RATES[rate]


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Rows in order; the first that fits wins."""

    rows: tuple[Price, ...] = ()

    def find(self, item: str, provider: str, model: str) -> Price:
        """A price; what no row fits costs nothing."""
        return next((row for row in self.rows if row.fits(item, provider, model)), Price(item))


def parse_prices(text: str) -> PriceTable:
    """TOML → table; raises BadPriceTable naming row and field."""
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise BadPriceTable(f"the price table is no TOML: {wrong}") from None
    unknown = set(parsed) - {"price"}
    if unknown:
        raise BadPriceTable(f"the price table has unknown entries: {', '.join(sorted(unknown))}")
    return PriceTable(tuple(_row(number, row) for number, row in enumerate(parsed.get("price", ()), start=1)))


def _row(number: int, row: dict[str, Any]) -> Price:
    item = row.get("item")
    if item not in ITEMS:
        raise BadPriceTable(f"price {number}: item must be one of {', '.join(ITEMS)}")
    for name in ("provider", "model"):
        if not isinstance(row.get(name, "*"), str):
            raise BadPriceTable(f"price {number}: {name} must be a text")
    rates = {name: _amount(number, name, row[name]) for name in row if name not in ("item", "provider", "model")}
    unfit = set(rates) - _OF_ITEM[item]
    if unfit:
        raise BadPriceTable(f"price {number}: {', '.join(sorted(unfit))} does not fit item {item}")
    return Price(item, row.get("provider", "*"), row.get("model", "*"), rates)


def _amount(number: int, name: str, value: object) -> Decimal:
    if name not in RATES:
        raise BadPriceTable(f"price {number}: unknown field {name}")
    if not isinstance(value, str):
        raise BadPriceTable(f'price {number}: {name} must be a text such as "0.05"')
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise BadPriceTable(f"price {number}: {name} is no decimal number") from None
    if not amount.is_finite() or amount < 0:
        raise BadPriceTable(f"price {number}: {name} must be 0 or more")
    return amount
