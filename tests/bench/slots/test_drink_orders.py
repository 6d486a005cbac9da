"""People's recorded orders fill a tool's arguments, through real calls with the embedded recognizer."""

from pathlib import Path

import pytest
from drinks import VALUES, Score, assistant, merged
from ordering import ordered
from stack import running

from voxbus_contracts.assistant import Assistant
from voxbus_providers.assistant_terms import recognition_terms
from voxbus_testing.speech import recordings

EVERY = 5
"""24 of 117 recordings, the same ones always; `make slots` takes all of them."""
RECALL, EXTRA = 0.80, 0.10
"""Wanted of all recordings are 0.85, which `make slots` asks for; 24 of them are five points more or less."""


@pytest.mark.e2e
@pytest.mark.speech
@pytest.mark.timeout(240)
async def test_recorded_drink_orders_fill_the_tools_arguments(tmp_path: Path) -> None:
    rows = [row for row in recordings() if row["kind"] == "utt_slots"][::EVERY]
    with running(tmp_path / "data") as stack:
        score, told = await ordered(stack, rows, at_once=4)
        models = [each.name for each in (tmp_path / "data" / "recognition").iterdir()]
    text = "\n".join([*score.lines(), *(f"{each['wanted']}\n  {each['heard']}\n  {each['ordered']}" for each in told)])
    print(text)
    assert len(models) == 1, "one assistant, one model"
    assert score.recall >= RECALL, text
    assert score.extra_share <= EXTRA, text


def test_the_assistant_knows_the_values_of_its_tool_and_no_sentence() -> None:
    terms = recognition_terms(Assistant.model_validate(assistant("http://127.0.0.1/")))
    said = {text for group in terms.groups for text in group}
    assert {value for values in VALUES.values() for value in values} <= said
    assert max(len(text.split()) for text in said) <= 6
    assert terms.expected == ("yes-no",)


def test_a_wrong_value_misses_its_slot_and_counts_as_one_too_many() -> None:
    score = Score()
    score.add({"size": "small", "roast": "dark roast"}, {"size": "large", "roast": "dark roast", "sugarAmount": ""})
    score.add({"size": "small"}, {"size": "small", "coffeeDrink": "mocha"})
    assert (score.recall, score.extra, score.filled, score.whole) == (2 / 3, 2, 4, 0)


def test_a_second_order_of_a_call_adds_to_the_first() -> None:
    first, second = {"size": "small", "roast": ""}, {"size": "", "roast": "dark  roast"}
    assert merged([first, second]) == {"size": "small", "roast": "dark roast"}
