"""What an assistant's chunkPlan does to the pieces that are spoken; without one nothing changes."""

import itertools
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_contracts.assistant import Voice
from voxbus_contracts.chunking import ChunkPlan
from voxbus_llm_orchestrator.chunking import splitter_of
from voxbus_llm_orchestrator.sentences import SentenceSplitter

MARKS = ["。", "，", ".", "!", "?", ";", ")", "،", "۔", "।", "॥", "|", "||", ",", ":"]
"""All that the public API lets an assistant name."""

WORDS = ["yes", "No.", "3.5", "Dr.", "ok!", "what?", "and,", "so:", "(this)", "a | b", "今日は，", "क।", "well..."]
SHORT_TEXTS = st.lists(st.sampled_from(WORDS), max_size=24).map(" ".join)
"""None so long that it is cut for its length."""

TEXTS = st.lists(
    st.sampled_from(
        [
            "yes",
            "No.",
            "3.5",
            "Dr.",
            "ok!",
            "what?",
            "and,",
            "so:",
            "(this)",
            "a | b",
            "今日は，",
            "क।",
            "well...",
            "\n",
        ]
    ),
    max_size=60,
).map(" ".join)
CUTS = st.lists(st.integers(0, 400), max_size=20)
PLANS = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "minCharacters": st.integers(1, 80),
        "punctuationBoundaries": st.lists(st.sampled_from(MARKS), max_size=4),
        "formatPlan": st.fixed_dictionaries({"enabled": st.booleans()}),
    },
)


def plan(**fields: Any) -> ChunkPlan:
    found = Voice.model_validate({"chunkPlan": fields}).chunk_plan
    assert found is not None
    return found


def spoken(splitter: SentenceSplitter, *deltas: str) -> list[str]:
    return [piece for delta in deltas for piece in splitter.push(delta)] + splitter.flush()


def deltas(text: str, cuts: list[int]) -> list[str]:
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    return [text[start:end] for start, end in itertools.pairwise(at)]


def words(pieces: list[str]) -> str:
    return re.sub(r"[\W_]+", "", "".join(pieces))


ANSWER = "Sure. Your order, number 4711, ships on Friday; it is paid. Is there anything else I can do for you?"


@pytest.mark.parametrize(
    ("fields", "pieces"),
    [
        (
            {},
            [
                "Sure.",
                "Your order, number 4711, ships on Friday; it is paid.",
                "Is there anything else I can do for you?",
            ],
        ),
        (
            {"minCharacters": 6},
            ["Sure. Your order, number 4711, ships on Friday; it is paid.", "Is there anything else I can do for you?"],
        ),
        (
            {"minCharacters": 5, "punctuationBoundaries": [",", ";", "?"]},
            [
                *("Sure. Your order,", "number 4711,", "ships on Friday;"),
                "it is paid. Is there anything else I can do for you?",
            ],
        ),
        ({"punctuationBoundaries": ["?"]}, [ANSWER]),
        ({"enabled": False}, [ANSWER]),
    ],
)
def test_an_answer_is_cut_where_the_plan_says(fields: dict[str, Any], pieces: list[str]) -> None:
    assert spoken(splitter_of(plan(**fields)), *(f"{word} " for word in ANSWER.split())) == pieces


def test_the_first_sentence_is_out_with_its_stop_when_it_is_as_long_as_the_plan_wants_it() -> None:
    assert splitter_of(None).push("Yes, sure.") == ["Yes, sure."]
    assert splitter_of(plan()).push("Yes, sure.") == ["Yes, sure."]
    assert splitter_of(plan(minCharacters=10)).push("Yes, sure.") == ["Yes, sure."]
    assert splitter_of(plan(minCharacters=11)).push("Yes, sure.") == []
    assert splitter_of(plan(minCharacters=5, punctuationBoundaries=["?"])).push("Yes, sure.") == []


def test_flush_is_spoken_at_once_whatever_the_plan() -> None:
    for fields in ({"enabled": False}, {"minCharacters": 80}, {"punctuationBoundaries": ["?"]}):
        assert splitter_of(plan(**fields)).push("Hold on <flush />") == ["Hold on"]


@pytest.mark.parametrize(("enabled", "piece"), [(True, "Really now."), (False, "**Really** <break/>now.")])
def test_marks_and_tags_stay_where_nothing_is_to_be_formatted(*, enabled: bool, piece: str) -> None:
    assert spoken(splitter_of(plan(formatPlan={"enabled": enabled})), "**Really** <break/>now.") == [piece]


@settings(max_examples=60)
@given(TEXTS, CUTS)
def test_a_plan_that_wants_nothing_in_particular_changes_nothing(text: str, cuts: list[int]) -> None:
    given_out = [
        [splitter.push(delta) for delta in deltas(text, cuts)] + [splitter.flush()]
        for splitter in (SentenceSplitter(is_eager=True), splitter_of(None), splitter_of(plan(enabled=True)))
    ]
    assert given_out[0] == given_out[1] == given_out[2]


@settings(max_examples=60)
@given(PLANS, TEXTS, CUTS)
def test_no_word_is_lost_whatever_the_plan_and_however_the_text_arrives(
    fields: dict[str, Any], text: str, cuts: list[int]
) -> None:
    assert words(spoken(splitter_of(plan(**fields)), *deltas(text, cuts))) == words([text])


@settings(max_examples=60)
@given(SHORT_TEXTS, CUTS, st.integers(1, 80), st.lists(st.sampled_from(MARKS), max_size=4))
def test_every_piece_but_the_last_is_long_enough_and_ends_at_a_mark_that_was_named(
    text: str, cuts: list[int], least: int, marks: list[str]
) -> None:
    unformatted = plan(minCharacters=least, punctuationBoundaries=marks, formatPlan={"enabled": False})
    for piece in spoken(splitter_of(unformatted), *deltas(text, cuts))[:-1]:
        assert len(piece) >= least
        assert set(piece[-2:]) & set("".join(marks) or ".!?。")
