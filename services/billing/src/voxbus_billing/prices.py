"""What things cost: rows of prices, in versions that are valid from an instant. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from voxbus_billing.money import charge

ITEMS: Final = (
    "transport",
    "transcriber",
    "model",
    "voice",
    "vapi",
    "analysis",
    "knowledge-base",
    "voicemail-detection",
    "chat",
)
"""In the order in which a call's costs are listed."""

RATES: Final = {
    "per_minute": 60_000,
    "per_1000_characters": 1_000,
    "per_million_prompt_tokens": 1_000_000,
    "per_million_cached_prompt_tokens": 1_000_000,
    "per_million_completion_tokens": 1_000_000,
    "per_million_prompt_audio_tokens": 1_000_000,
    "per_million_completion_audio_tokens": 1_000_000,
    "per_message": 1,
}
"""How many units (ms, characters, tokens, messages) one price is for."""

VENDOR: Final = "vendor_"
"""Prefix of a rate that the vendor takes from you; without it, a rate is what you take from the organisation."""

_TOKENS: Final = frozenset(
    {"per_million_prompt_tokens", "per_million_cached_prompt_tokens", "per_million_completion_tokens"}
)
RATES_OF_ITEM: Final[dict[str, frozenset[str]]] = {
    "transport": frozenset({"per_minute"}),
    "transcriber": frozenset({"per_minute"}),
    "vapi": frozenset({"per_minute"}),
    "voice": frozenset({"per_1000_characters"}),
    "model": _TOKENS,
    "analysis": _TOKENS,
    "knowledge-base": _TOKENS,
    "voicemail-detection": _TOKENS | {"per_million_prompt_audio_tokens", "per_million_completion_audio_tokens"},
    "chat": frozenset({"per_message"}),
}
_RATE_OF_UNIT: Final = {
    "ms": "per_minute",
    "characters": "per_1000_characters",
    "prompt_tokens": "per_million_prompt_tokens",
    "completion_tokens": "per_million_completion_tokens",
    "prompt_audio_tokens": "per_million_prompt_audio_tokens",
    "completion_audio_tokens": "per_million_completion_audio_tokens",
    "messages": "per_message",
}
"""Cached tokens are part of the prompt's and reasoning tokens part of the completion's: see `Price.charge`."""

MOST_UNITS: Final = 1_000_000_000
"""Of one use; the contract allows no more. At the highest rates it costs 9 million dollars, which 63 bits can hold."""


def highest(rate: str) -> Decimal:
    """The highest price that the table takes for a rate, dollars."""
    return Decimal(9_000_000) * RATES[rate] / MOST_UNITS


@dataclass(frozen=True, slots=True)
class Price:
    """One row: what it fits and what it costs, US dollars."""

    item: str
    provider: str = "*"
    model: str = "*"
    rates: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])

    def fits(self, item: str, provider: str, model: str) -> bool:
        return self.item == item and self.provider in ("*", provider) and self.model in ("*", model)

    def charge(self, unit: str, quantity: int, prefix: str = "") -> int:
        """Pico-dollars; 0 where the row names no such rate.

        Cached tokens were charged with the prompt that they are part of, so theirs is the difference, mostly a credit.
        """
        if unit == "cached_prompt_tokens":
            cached = self.rates.get(f"{prefix}per_million_cached_prompt_tokens")
            prompt = self.rates.get(f"{prefix}per_million_prompt_tokens", Decimal(0))
            return 0 if cached is None else charge(cached - prompt, quantity, 1_000_000)
        rate = _RATE_OF_UNIT.get(unit)
        amount = self.rates.get(f"{prefix}{rate}") if rate else None
        return charge(amount, quantity, RATES[rate]) if amount and rate else 0


@dataclass(frozen=True, slots=True)
class PriceTable:
    """One version: rows in order, the first that fits wins; what no row fits costs nothing.

    `label` is the name and a digest of what is in it (`2026-11@5f3a9c1e`), so that an edited table has another one.
    """

    name: str = "unpriced"
    valid_from_ms: int = 0
    rows: tuple[Price, ...] = ()
    label: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.text().encode()).hexdigest()[:8]
        object.__setattr__(self, "label", f"{self.name}@{digest}")

    def find(self, item: str, provider: str, model: str) -> Price:
        return next((row for row in self.rows if row.fits(item, provider, model)), Price(item))

    def text(self) -> str:
        """The rows as JSON, always written alike: `table_of` reads it back."""
        rows = [
            {"item": row.item, "provider": row.provider, "model": row.model}
            | {rate: str(row.rates[rate]) for rate in sorted(row.rates)}
            for row in self.rows
        ]
        return json.dumps(rows, separators=(",", ":"), ensure_ascii=False)


def table_of(name: str, valid_from_ms: int, text: str) -> PriceTable:
    """A table from its kept text."""
    rows = tuple(
        Price(row.pop("item"), row.pop("provider"), row.pop("model"), {rate: Decimal(row[rate]) for rate in row})
        for row in json.loads(text)
    )
    return PriceTable(name, valid_from_ms, rows)


UNPRICED: Final = PriceTable()
"""Holds before the first version: everything costs nothing."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """All versions in force, by the instant from which each is valid, and by label those that are no more."""

    tables: tuple[PriceTable, ...] = ()
    past: Mapping[str, PriceTable] = field(default_factory=dict[str, PriceTable])

    def at(self, time_ms: int) -> PriceTable:
        """The version valid at an instant, ms since the epoch."""
        return next((table for table in reversed(self.tables) if table.valid_from_ms <= time_ms), UNPRICED)

    def of_call(self, opened_at_ms: int, label: str = "") -> PriceTable:
        """The version that prices a call; `label` names the one that has priced it so far, "" = none.

        A version that was edited or taken out since goes on pricing the calls it has begun to price.
        """
        in_force = {table.label for table in (*self.tables, UNPRICED)}
        if label not in in_force and label in self.past:
            return self.past[label]
        return self.at(opened_at_ms)
