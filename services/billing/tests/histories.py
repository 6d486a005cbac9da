"""Random histories of calls, and what they cost by sums that share no code with billing."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from hypothesis import strategies as st

from voxbus_billing.journal import Fact, Use
from voxbus_billing.price_file import parse_prices
from voxbus_billing.prices import PriceList
from voxbus_contracts import CallRef

FIRST_MS, SECOND_MS = 1_000_000, 2_000_000
"""1970-01-01T00:16:40Z and 00:33:20Z: from when the second and the third prices are valid."""

PRICES: PriceList = parse_prices("""
[[price]]
item = "transport"
per_minute = "0.0085"
vendor_per_minute = "0.007"
[[price]]
item = "vapi"
per_minute = "0.05"
[[price]]
item = "transcriber"
per_minute = "0.0077"
[[price]]
item = "model"
per_million_prompt_tokens = "2.123456789"
per_million_cached_prompt_tokens = "0.1"
per_million_completion_tokens = "7.77"
[[price]]
item = "voice"
provider = "dear"
per_1000_characters = "0.3"
vendor_per_1000_characters = "0.1"
[[price]]
item = "voice"
per_1000_characters = "0.033333"
[[version]]
name = "second"
valid_from = 1970-01-01T00:16:40Z
[[version.price]]
item = "transport"
per_minute = "0.01"
[[version.price]]
item = "voice"
per_1000_characters = "1.1"
[[version]]
name = "third"
valid_from = 1970-01-01T00:33:20Z
[[version.price]]
item = "model"
per_million_prompt_tokens = "3"
""")

_RATES: list[dict[tuple[str, str], dict[str, tuple[str, int]]]] = [
    {
        ("transport", "*"): {"ms": ("0.0085", 60_000)},
        ("vapi", "*"): {"ms": ("0.05", 60_000)},
        ("transcriber", "*"): {"ms": ("0.0077", 60_000)},
        ("model", "*"): {
            "prompt_tokens": ("2.123456789", 10**6),
            "cached_prompt_tokens": ("-2.023456789", 10**6),
            "completion_tokens": ("7.77", 10**6),
        },
        ("voice", "dear"): {"characters": ("0.3", 1_000)},
        ("voice", "*"): {"characters": ("0.033333", 1_000)},
    },
    {("transport", "*"): {"ms": ("0.01", 60_000)}, ("voice", "*"): {"characters": ("1.1", 1_000)}},
    {("model", "*"): {"prompt_tokens": ("3", 10**6)}},
]
_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
_PICO = Decimal(1).scaleb(-12)


def expected_total(facts: Iterable[Fact]) -> Decimal:
    """Dollars that the distinct facts of one call cost."""
    once = {fact.event_id: fact for fact in facts}.values()
    opened_at_ms = min(fact.occurred_at_ms for fact in once)
    rates = _RATES[(opened_at_ms >= FIRST_MS) + (opened_at_ms >= SECOND_MS)]
    total = Decimal(0)
    for fact in once:
        if fact.use is not None:
            items = ("transport", "vapi") if fact.use.item == "transport" else (fact.use.item,)
            total += sum((_cost(rates, item, fact.use) for item in items), Decimal(0))
    return total


def _cost(rates: dict[tuple[str, str], dict[str, tuple[str, int]]], item: str, use: Use) -> Decimal:
    row = rates.get((item, use.provider)) or rates.get((item, "*")) or {}
    rate, per = row.get(use.unit, ("0", 1))
    exact = _EXACT.divide(_EXACT.multiply(Decimal(rate), Decimal(use.quantity)), Decimal(per))
    return exact.quantize(_PICO, context=_EXACT)


_KINDS = st.sampled_from([
    ("transport", "vapi.websocket", "", "ms"),
    ("transcriber", "vapi", "vosk", "ms"),
    ("model", "openai", "gpt-4.1", "prompt_tokens"),
    ("model", "openai", "gpt-4.1", "cached_prompt_tokens"),
    ("model", "openai", "gpt-4.1", "completion_tokens"),
    ("voice", "dear", "grand", "characters"),
    ("voice", "vapi", "espeak-ng", "characters"),
])  # fmt: skip


@st.composite
def facts(draw: Any, call: int) -> list[Fact]:
    """The events of one call, in no order, some of them steps of its life."""
    made: list[Fact] = []
    for number in range(draw(st.integers(1, 12))):
        at_ms = draw(st.integers(FIRST_MS - 2_000, FIRST_MS + 2_000) | st.integers(0, SECOND_MS + 5_000))
        event_id = f"{call}-{number}"
        if draw(st.booleans()) and draw(st.booleans()):
            made.append(Fact(event_id, draw(st.sampled_from(["call.queued", "call.started", "call.ended"])), at_ms))
            continue
        item, provider, model, unit = draw(_KINDS)
        use = Use(item, provider, model, unit, draw(st.integers(0, 10**9)), wasted=draw(st.booleans()))
        made.append(Fact(event_id, "usage.recorded", at_ms, use))
    return made


@dataclass(frozen=True)
class Delivery:
    """One batch as the bus hands it over: (call number, fact); `cut_after` statements the process dies, None = lives.

    `is_acknowledged` False = it died after the commit: all of it comes again.
    """

    batch: list[tuple[int, Fact]]
    cut_after: int | None
    is_acknowledged: bool


@st.composite
def deliveries(draw: Any) -> list[Delivery]:
    """Two calls' events, reordered, some twice, in batches, some of which do not end well."""
    events = [(call, fact) for call in (0, 1) for fact in draw(facts(call))]
    doubles = draw(st.lists(st.sampled_from(events), max_size=6))
    order = draw(st.permutations(events + doubles))
    made: list[Delivery] = []
    while order:
        size = draw(st.integers(1, 8))
        cut_after = draw(st.none() | st.integers(0, 7))
        made.append(Delivery(order[:size], cut_after, draw(st.booleans())))
        order = order[size:]
    return made


REFS = tuple(f"{digit * 8}-1111-4111-8111-" for digit in "ab")


def refs(run: int) -> tuple[CallRef, CallRef]:
    """Two calls that no other run has."""
    one, other = (CallRef("acme", f"{prefix}{run:012x}") for prefix in REFS)
    return one, other
