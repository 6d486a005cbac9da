"""The file of prices: TOML → `PriceList`. Pure; what is wrong is named by version, row and field."""

import tomllib
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, Final

from voxbus_billing.errors import BadPriceTable
from voxbus_billing.prices import ITEMS, RATES, RATES_OF_ITEM, VENDOR, Price, PriceList, PriceTable, highest

_BASE: Final = "base"
"""Name of the rows that stand outside any version: they are valid until the first version is."""
_NOT_RATES: Final = ("item", "provider", "model")


def parse_prices(text: str) -> PriceList:
    """`[[price]]` rows, and `[[version]]`s with a `name`, a `valid_from` and rows; raises BadPriceTable."""
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise BadPriceTable(f"the price table is no TOML: {wrong}") from None
    _refuse_unknown(parsed, {"price", "version"}, "the price table")
    tables = [PriceTable(_BASE, 0, _rows(parsed.get("price", []), ""))] if "price" in parsed else []
    versions = _list(parsed.get("version", []), "version")
    tables += [_version(number, version) for number, version in enumerate(versions, start=1)]
    tables.sort(key=lambda table: table.valid_from_ms)
    for one, other in pairwise(tables):
        if one.valid_from_ms == other.valid_from_ms:
            raise BadPriceTable(f"versions {one.name} and {other.name} are valid from the same instant")
    if len({table.name for table in tables}) < len(tables):
        raise BadPriceTable("version: every name may be there once (base is that of the rows outside versions)")
    return PriceList(tuple(tables))


def _version(number: int, version: dict[str, Any]) -> PriceTable:
    _refuse_unknown(version, {"name", "valid_from", "price"}, f"version {number}")
    name, valid_from = version.get("name"), version.get("valid_from")
    if not isinstance(name, str) or not name.strip():
        raise BadPriceTable(f"version {number}: name must be a text")
    if not isinstance(valid_from, datetime) or valid_from.tzinfo is None:
        raise BadPriceTable(f"version {name}: valid_from must be an instant with its offset: 2026-11-01T00:00:00Z")
    return PriceTable(name, round(valid_from.timestamp() * 1_000), _rows(version.get("price", []), f"version {name}, "))


def _rows(rows: object, where: str) -> tuple[Price, ...]:
    return tuple(_row(f"{where}price {number}", row) for number, row in enumerate(_list(rows, f"{where}price"), 1))


def _list(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):  # pyright: ignore[reportUnknownVariableType]
        raise BadPriceTable(f"{where} must be written in double brackets: [[{where.rpartition(' ')[2]}]]")
    return value  # pyright: ignore[reportUnknownVariableType]


def _row(where: str, row: dict[str, Any]) -> Price:
    item = row.get("item")
    if item not in ITEMS:
        raise BadPriceTable(f"{where}: item must be one of {', '.join(ITEMS)}")
    for name in ("provider", "model"):
        if not isinstance(row.get(name, "*"), str):
            raise BadPriceTable(f"{where}: {name} must be a text")
    rates = {name: _amount(where, name, row[name]) for name in row if name not in _NOT_RATES}
    unfit = {name for name in rates if name.removeprefix(VENDOR) not in RATES_OF_ITEM[item]}
    if unfit:
        raise BadPriceTable(f"{where}: {', '.join(sorted(unfit))} does not fit item {item}")
    return Price(item, row.get("provider", "*"), row.get("model", "*"), rates)


def _amount(where: str, name: str, value: object) -> Decimal:
    rate = name.removeprefix(VENDOR)
    if rate not in RATES:
        raise BadPriceTable(f"{where}: unknown field {name}")
    if not isinstance(value, str):
        raise BadPriceTable(f'{where}: {name} must be a text such as "0.05"')
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise BadPriceTable(f"{where}: {name} is no decimal number") from None
    if not amount.is_finite() or amount < 0:
        raise BadPriceTable(f"{where}: {name} must be 0 or more")
    if amount > highest(rate):
        raise BadPriceTable(f"{where}: {name} must be {highest(rate):f} or less")
    return amount


def _refuse_unknown(parsed: dict[str, Any], known: set[str], where: str) -> None:
    unknown = set(parsed) - known
    if unknown:
        raise BadPriceTable(f"{where} has unknown entries: {', '.join(sorted(unknown))}")
