from decimal import Decimal

import pytest

from voxbus_billing.errors import BadPriceTable
from voxbus_billing.prices import PriceTable, parse_prices
from voxbus_billing.rates import UsageTotal, bill, plain

PAID = parse_prices(
    """
[[price]]
item = "model"
provider = "openai"
model = "gpt-4.1"
per_million_prompt_tokens = "2"
per_million_cached_prompt_tokens = "0.5"
per_million_completion_tokens = "8"
[[price]]
item = "voice"
per_1000_characters = "0.03"
[[price]]
item = "transport"
provider = "twilio"
per_minute = "0.0085"
[[price]]
item = "vapi"
per_minute = "0.05"
"""
)


def test_cached_tokens_are_part_of_the_prompt_and_cost_their_own_price() -> None:
    made = bill(
        [
            UsageTotal("model", "openai", "gpt-4.1", "prompt_tokens", 1_000_000),
            UsageTotal("model", "openai", "gpt-4.1", "cached_prompt_tokens", 400_000),
            UsageTotal("model", "openai", "gpt-4.1", "completion_tokens", 100_000),
        ],
        PAID,
    )
    assert Decimal(made.total) == Decimal("1.2") + Decimal("0.2") + Decimal("0.8")
    (row,) = made.rows
    assert row.model_dump() == {
        "type": "model",
        "cost": "2.2",
        "model": {"provider": "openai", "model": "gpt-4.1"},
        "promptTokens": 1_000_000,
        "completionTokens": 100_000,
        "cachedPromptTokens": 400_000,
    }
    assert made.breakdown["llmCachedPromptTokens"] == 400_000


def test_what_was_prepared_for_nothing_is_paid_for_and_told_apart() -> None:
    made = bill(
        [
            UsageTotal("model", "openai", "gpt-4.1", "prompt_tokens", 600_000),
            UsageTotal("model", "openai", "gpt-4.1", "prompt_tokens.wasted", 400_000),
            UsageTotal("model", "openai", "gpt-4.1", "completion_tokens.wasted", 100_000),
            UsageTotal("voice", "vapi", "espeak-ng", "characters", 900),
            UsageTotal("voice", "vapi", "espeak-ng", "characters.wasted", 100),
        ],
        PAID,
    )
    model, voice = made.rows
    assert (model.cost, voice.cost) == ("2.8", "0.03")
    assert model.model_dump()["promptTokens"] == 1_000_000
    assert voice.model_dump()["characters"] == 1_000
    told = {name: value for name, value in made.breakdown.items() if "Wasted" in name}
    assert told == {
        "llmWastedPromptTokens": 400_000,
        "llmWastedCompletionTokens": 100_000,
        "ttsWastedCharacters": 100,
    }


def test_minutes_of_the_platform_are_those_of_the_transport() -> None:
    made = bill([UsageTotal("transport", "twilio", "", "ms", 90_000)], PAID)
    assert [(row.type, row.cost) for row in made.rows] == [("transport", "0.01275"), ("vapi", "0.075")]
    assert made.rows[1].model_dump()["minutes"] == 1.5
    assert made.breakdown["transport"] == "0.01275"
    assert made.breakdown["vapi"] == "0.075"


def test_total_is_the_exact_sum_of_the_rows() -> None:
    made = bill([UsageTotal("voice", f"vendor{n}", "", "characters", 1) for n in range(3)], PAID)
    assert made.total == plain(sum((Decimal(row.cost) for row in made.rows), Decimal(0))) == "0.00009"


def test_a_fraction_no_float_can_hold_is_billed_exactly() -> None:
    table = parse_prices('[[price]]\nitem = "voice"\nper_1000_characters = "0.1"')
    made = bill([UsageTotal("voice", "vapi", "x", "characters", 3_000)], table)
    assert made.total == "0.3"


def test_rows_come_in_the_order_of_the_public_api_and_breakdown_has_its_names() -> None:
    totals = [
        UsageTotal("voice", "vapi", "espeak-ng", "characters", 27),
        UsageTotal("transcriber", "vapi", "pocketsphinx", "ms", 6_000),
        UsageTotal("model", "vapi", "scripted", "prompt_tokens", 12),
        UsageTotal("transport", "vapi.websocket", "", "ms", 60_000),
    ]
    made = bill(totals, PriceTable())
    assert [row.type for row in made.rows] == ["transport", "transcriber", "model", "voice", "vapi"]
    assert made.breakdown == {
        "transport": "0",
        "stt": "0",
        "llm": "0",
        "tts": "0",
        "vapi": "0",
        "llmPromptTokens": 12,
        "llmCompletionTokens": 0,
        "llmCachedPromptTokens": 0,
        "ttsCharacters": 27,
        "total": "0",
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[price", "no TOML"),
        ('[[price]]\nitem = "coffee"', "price 1: item"),
        ('[[price]]\nitem = "voice"\nper_1000_characters = 0.1', "must be a text"),
        ('[[price]]\nitem = "voice"\nper_1000_characters = "-1"', "0 or more"),
        ('[[price]]\nitem = "voice"\nper_1000_characters = "a lot"', "no decimal number"),
        ('[[price]]\nitem = "voice"\nper_minute = "1"', "does not fit item voice"),
        ('[[price]]\nitem = "voice"\nper_byte = "1"', "unknown field per_byte"),
        ('[[prize]]\nitem = "voice"', "unknown entries: prize"),
    ],
)
def test_a_bad_price_table_is_refused_by_row_and_field(text: str, named: str) -> None:
    with pytest.raises(BadPriceTable, match=named):
        parse_prices(text)
