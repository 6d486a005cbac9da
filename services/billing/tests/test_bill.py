from decimal import Decimal

import pytest

from voxbus_billing.account import recount
from voxbus_billing.bill import Bill, bill
from voxbus_billing.errors import BadPriceTable
from voxbus_billing.journal import Fact, Use, lines
from voxbus_billing.price_file import parse_prices
from voxbus_billing.prices import PriceList, table_of
from voxbus_contracts import CallRef

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
[[price]]
item = "analysis"
per_million_prompt_tokens = "1"
[[price]]
item = "knowledge-base"
per_million_prompt_tokens = "1"
[[price]]
item = "voicemail-detection"
per_million_prompt_audio_tokens = "10"
[[price]]
item = "chat"
per_message = "0.005"
"""
)


def billed(uses: list[Use], prices: PriceList = PAID) -> Bill:
    facts = [Fact(f"e{number}", "usage.recorded", 1_000, use) for number, use in enumerate(uses)]
    _, entries = recount(CallRef("acme", "11111111-1111-4111-8111-1111111111ab"), facts, prices)
    return bill(lines(entries))


def test_cached_tokens_are_part_of_the_prompt_and_cost_their_own_price() -> None:
    made = billed(
        [
            Use("model", "openai", "gpt-4.1", "prompt_tokens", 1_000_000),
            Use("model", "openai", "gpt-4.1", "cached_prompt_tokens", 400_000),
            Use("model", "openai", "gpt-4.1", "completion_tokens", 100_000),
        ]
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
    made = billed(
        [
            Use("model", "openai", "gpt-4.1", "prompt_tokens", 600_000),
            Use("model", "openai", "gpt-4.1", "prompt_tokens", 400_000, wasted=True),
            Use("model", "openai", "gpt-4.1", "completion_tokens", 100_000, wasted=True),
            Use("voice", "vapi", "espeak-ng", "characters", 900),
            Use("voice", "vapi", "espeak-ng", "characters", 100, wasted=True),
        ]
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
    assert made.breakdown["wasted"] == "1.603", "0.8 + 0.8 + 0.003, part of the total"
    assert made.total == "2.83"


def test_analyses_are_told_apart_by_purpose_in_rows_and_breakdown() -> None:
    made = billed(
        [
            Use("analysis", "openai", "gpt-4.1", "prompt_tokens", 2_000_000, "summary"),
            Use("analysis", "openai", "gpt-4.1", "completion_tokens", 50, "summary"),
            Use("analysis", "openai", "gpt-4.1", "prompt_tokens", 1_000_000, "structuredData"),
        ]
    )
    model = {"provider": "openai", "model": "gpt-4.1"}
    assert [row.model_dump() for row in made.rows] == [
        {
            "type": "analysis",
            "cost": "2",
            "analysisType": "summary",
            "model": model,
            "promptTokens": 2_000_000,
            "completionTokens": 50,
        },
        {
            "type": "analysis",
            "cost": "1",
            "analysisType": "structuredData",
            "model": model,
            "promptTokens": 1_000_000,
            "completionTokens": 0,
        },
    ]
    assert made.breakdown["analysisCostBreakdown"] == {
        "summary": "2",
        "summaryPromptTokens": 2_000_000,
        "summaryCompletionTokens": 50,
        "summaryCachedPromptTokens": 0,
        "structuredData": "1",
        "structuredDataPromptTokens": 1_000_000,
        "structuredDataCompletionTokens": 0,
        "structuredDataCachedPromptTokens": 0,
    }
    assert (made.breakdown["llm"], made.breakdown["llmPromptTokens"], made.total) == ("0", 0, "3")


def test_knowledge_bases_voicemail_detection_and_chats_have_rows_of_their_own() -> None:
    made = billed(
        [
            Use("chat", "vapi", "", "messages", 1),
            Use("voicemail-detection", "google", "gemini", "prompt_audio_tokens", 100_000),
            Use("voicemail-detection", "google", "gemini", "completion_tokens", 3),
            Use("knowledge-base", "google", "gemini", "prompt_tokens", 1_000),
            Use("model", "openai", "o4-mini", "completion_tokens", 9),
            Use("model", "openai", "o4-mini", "reasoning_tokens", 7),
        ]
    )
    gemini = {"provider": "google", "model": "gemini"}
    assert [row.model_dump() for row in made.rows] == [
        {
            "type": "model",
            "cost": "0",
            "model": {"provider": "openai", "model": "o4-mini"},
            "promptTokens": 0,
            "completionTokens": 9,
            "reasoningTokens": 7,
        },
        {"type": "knowledge-base", "cost": "0.001", "model": gemini, "promptTokens": 1_000, "completionTokens": 0},
        {
            "type": "voicemail-detection",
            "cost": "1",
            "provider": "google",
            "model": gemini,
            "promptTextTokens": 0,
            "promptAudioTokens": 100_000,
            "completionTextTokens": 3,
            "completionAudioTokens": 0,
        },
        {"type": "chat", "cost": "0.005"},
    ]
    told = {name: made.breakdown[name] for name in ("chat", "knowledgeBase", "voicemailDetection", "total")}
    assert told == {"chat": "0.005", "knowledgeBase": "0.001", "voicemailDetection": "1", "total": "1.006"}


def test_minutes_of_the_platform_are_those_of_the_transport() -> None:
    made = billed([Use("transport", "twilio", "", "ms", 90_000)])
    assert [(row.type, row.cost) for row in made.rows] == [("transport", "0.01275"), ("vapi", "0.075")]
    assert made.rows[1].model_dump()["minutes"] == 1.5
    assert made.breakdown["transport"] == "0.01275"
    assert made.breakdown["vapi"] == "0.075"


def test_total_is_the_exact_sum_of_the_rows() -> None:
    made = billed([Use("voice", f"vendor{n}", "", "characters", 1) for n in range(3)])
    assert Decimal(made.total) == sum((Decimal(row.cost) for row in made.rows), Decimal(0)) == Decimal("0.00009")


def test_a_fraction_no_float_can_hold_is_billed_exactly() -> None:
    table = parse_prices('[[price]]\nitem = "voice"\nper_1000_characters = "0.1"')
    made = billed([Use("voice", "vapi", "x", "characters", 3_000)], table)
    assert made.total == "0.3"


def test_rows_come_in_the_order_of_the_public_api_and_breakdown_has_its_names() -> None:
    uses = [
        Use("voice", "vapi", "espeak-ng", "characters", 27),
        Use("transcriber", "vapi", "pocketsphinx", "ms", 6_000),
        Use("model", "vapi", "scripted", "prompt_tokens", 12),
        Use("transport", "vapi.websocket", "", "ms", 60_000),
    ]
    made = billed(uses, PriceList())
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
        ('[[price]]\nitem = "voice"\nper_1000_characters = "9.01"', "per_1000_characters must be 9 or less"),
        ('[[price]]\nitem = "voice"\nvendor_per_minute = "1"', "vendor_per_minute does not fit item voice"),
        ('[price]\nitem = "voice"', r"double brackets: \[\[price\]\]"),
        ('[[version]]\nname = "a"', "version a: valid_from"),
        ('[[version]]\nname = "a"\nvalid_from = 2026-11-01T00:00:00', "version a: valid_from"),
        ("[[version]]\nvalid_from = 2026-11-01T00:00:00Z", "version 1: name"),
        (
            '[[version]]\nname = "a"\nvalid_from = 2026-11-01T00:00:00Z\n[[version.price]]\nitem = "tea"',
            "version a, price 1: item",
        ),
        (
            '[[version]]\nname = "a"\nvalid_from = 2026-11-01T00:00:00Z\n'
            '[[version]]\nname = "b"\nvalid_from = 2026-11-01T01:00:00+01:00',
            "a and b are valid from the same instant",
        ),
        (
            '[[version]]\nname = "a"\nvalid_from = 2026-11-01T00:00:00Z\n'
            '[[version]]\nname = "a"\nvalid_from = 2026-12-01T00:00:00Z',
            "every name may be there once",
        ),
    ],
)
def test_a_bad_price_table_is_refused_by_row_and_field(text: str, named: str) -> None:
    with pytest.raises(BadPriceTable, match=named):
        parse_prices(text)


def test_a_version_holds_from_its_instant_until_the_next_ones() -> None:
    listed = parse_prices(
        """
        [[version]]
        name = "december"
        valid_from = 2026-12-01T00:00:00+01:00
        [[version]]
        name = "november"
        valid_from = 2026-11-01T00:00:00Z
        """
    )
    november_ms, december_ms = 1_793_491_200_000, 1_796_079_600_000
    times = (november_ms - 1, november_ms, december_ms - 1, december_ms)
    assert [listed.at(ms).name for ms in times] == ["unpriced", "november", "november", "december"]


def test_a_label_names_what_is_in_a_version_and_its_kept_text_is_all_of_it() -> None:
    (table,) = PAID.tables
    assert table_of(table.name, table.valid_from_ms, table.text()) == table
    dearer = parse_prices('[[price]]\nitem = "voice"\nper_1000_characters = "0.04"').tables[0]
    assert dearer.name == table.name
    assert dearer.label != table.label
