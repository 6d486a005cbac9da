"""What a call used → what it costs, in the public API's words. Pure; money is Decimal throughout."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from voxbus_billing.prices import ITEMS, Price, PriceTable
from voxbus_contracts.events import CostRow

_SMALLEST: Final = Decimal("0.000001")
_MS_PER_MINUTE: Final = 60_000

WASTED: Final = ".wasted"
"""Suffix of a unit that went into an answer which was prepared and not given: paid like any other, and told apart."""


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """All that a call used of one thing. `unit` is ms, characters, or a kind of tokens, perhaps wasted."""

    item: str
    provider: str
    model: str
    unit: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Bill:
    """`total` is the exact sum of the rows' costs."""

    rows: tuple[CostRow, ...]
    breakdown: dict[str, Any]
    total: str


def bill(totals: Iterable[UsageTotal], prices: PriceTable) -> Bill:
    """Rows in the order transport, transcriber, model, voice, vapi; one per provider and model."""
    used = _grouped(totals)
    rows: list[CostRow] = []
    sums: dict[str, Decimal] = dict.fromkeys(ITEMS, Decimal(0))
    for item in ITEMS:
        for (of, provider, model), units in used.items():
            if of != item:
                continue
            cost, fields = _ROWS[item](prices.find(item, provider, model), provider, model, units)
            cost = cost.quantize(_SMALLEST, ROUND_HALF_UP)
            sums[item] += cost
            rows.append(CostRow.model_validate({"type": item, "cost": plain(cost), **fields}))
    total = plain(sum(sums.values(), Decimal(0)))
    return Bill(tuple(rows), {**_breakdown(sums, used), "total": total}, total)


def plain(amount: Decimal) -> str:
    """`0.0500` → `0.05`, never in exponents."""
    text = format(amount, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def minutes(ms: int) -> float:
    return round(ms / _MS_PER_MINUTE, 4)


_Units = dict[str, int]
_Used = dict[tuple[str, str, str], _Units]


def _grouped(totals: Iterable[UsageTotal]) -> _Used:
    """By item, provider and model. The platform's own minutes are the transport's, unless they are counted apart."""
    used: _Used = defaultdict(lambda: defaultdict(int))
    for total in totals:
        units = used[total.item, total.provider, total.model]
        units[total.unit] += total.quantity
        if total.unit.endswith(WASTED):
            units[total.unit.removesuffix(WASTED)] += total.quantity
    connected_ms = sum(units["ms"] for (item, _, _), units in used.items() if item == "transport")
    if connected_ms and not any(item == "vapi" for item, _, _ in used):
        used["vapi", "vapi", ""]["ms"] = connected_ms
    return used


_Row = tuple[Decimal, dict[str, Any]]


def _transport(price: Price, provider: str, _model: str, units: _Units) -> _Row:
    return price.charge("per_minute", units["ms"]), {"provider": provider, "minutes": minutes(units["ms"])}


def _transcriber(price: Price, provider: str, model: str, units: _Units) -> _Row:
    fields = {"transcriber": {"provider": provider, "model": model}, "minutes": minutes(units["ms"])}
    return price.charge("per_minute", units["ms"]), fields


def _model(price: Price, provider: str, model: str, units: _Units) -> _Row:
    prompt, cached, completion = units["prompt_tokens"], units["cached_prompt_tokens"], units["completion_tokens"]
    cached_rate = "per_million_cached_prompt_tokens"
    if cached_rate not in price.rates:
        cached_rate = "per_million_prompt_tokens"
    cost = (
        price.charge("per_million_prompt_tokens", max(0, prompt - cached))
        + price.charge(cached_rate, cached)
        + price.charge("per_million_completion_tokens", completion)
    )
    fields: dict[str, Any] = {
        "model": {"provider": provider, "model": model},
        "promptTokens": prompt,
        "completionTokens": completion,
    }
    return cost, fields | ({"cachedPromptTokens": cached} if cached else {})


def _voice(price: Price, provider: str, model: str, units: _Units) -> _Row:
    fields = {"voice": {"provider": provider, "model": model}, "characters": units["characters"]}
    return price.charge("per_1000_characters", units["characters"]), fields


def _vapi(price: Price, _provider: str, _model: str, units: _Units) -> _Row:
    return price.charge("per_minute", units["ms"]), {"subType": "normal", "minutes": minutes(units["ms"])}


_ROWS: Final[dict[str, Callable[[Price, str, str, _Units], _Row]]] = {
    "transport": _transport,
    "transcriber": _transcriber,
    "model": _model,
    "voice": _voice,
    "vapi": _vapi,
}

_SHORT: Final = {"transport": "transport", "transcriber": "stt", "model": "llm", "voice": "tts", "vapi": "vapi"}

_WASTES: Final = {
    "llmWastedPromptTokens": ("model", "prompt_tokens"),
    "llmWastedCompletionTokens": ("model", "completion_tokens"),
    "ttsWastedCharacters": ("voice", "characters"),
}
"""Ours, not the public API's; there only where there is waste."""


def _breakdown(sums: dict[str, Decimal], used: _Used) -> dict[str, Any]:
    def count(item: str, unit: str) -> int:
        return sum(units[unit] for (of, _, _), units in used.items() if of == item)

    return {
        **{short: plain(sums[item]) for item, short in _SHORT.items()},
        "llmPromptTokens": count("model", "prompt_tokens"),
        "llmCompletionTokens": count("model", "completion_tokens"),
        "llmCachedPromptTokens": count("model", "cached_prompt_tokens"),
        "ttsCharacters": count("voice", "characters"),
        **{name: wasted for name, (item, unit) in _WASTES.items() if (wasted := count(item, unit + WASTED))},
    }
