"""What an assistant's configuration tells of its callers' words."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_contracts.assistant import Assistant
from voxbus_providers.assistant_terms import recognition_terms
from voxbus_providers.pattern_phrases import phrases_of
from voxbus_providers.spoken import spoken
from voxbus_providers.terms import NO_TERMS, RecognitionTerms


def terms_of(**fields: object) -> RecognitionTerms:
    return recognition_terms(Assistant.model_validate(fields))


def with_tool(**properties: object) -> dict[str, object]:
    function = {"name": "book", "parameters": {"type": "object", "properties": properties}}
    return {"tools": [{"type": "function", "function": function}]}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2xLarge_cup", "two x large cup"),
        ("Café 42, please!", "caf forty two please"),
        ("room 305", "room three zero five"),
        ("007", "zero zero seven"),
        ("numberOfShots", "number of shots"),
        ("uh-huh, it’s", "uh-huh it's"),
        ("!?", ""),
    ],
)
def test_written_text_becomes_words_as_they_are_said(written: str, said: str) -> None:
    assert spoken(written) == said


def test_slots_and_look_aheads_of_a_pattern_are_lists_of_their_own() -> None:
    found = phrases_of(r"(?i)\b(?:a|some) (?P<what>oat milk|sugars?)(?=.*\b(?P<size>small|large)\b|)")
    assert ("oat milk", "sugars", "sugar") in found.groups
    assert ("small", "large") in found.groups
    assert ("a", "some") in found.groups
    assert not found.digits


@pytest.mark.parametrize(
    ("pattern", "groups", "digits"),
    [
        (r"\b(?:clubs|seven)\b", [("clubs", "seven")], False),
        (r"order(?: number)? (?P<order>\d[\d ]*)", [("order number", "order")], True),
        (r"(?P<heard>\w.*?)[\s.!?]*$", [], False),
        (r"what.*weather", [("what", "weather")], False),
        (r"un\w+able thing", [("thing",)], False),
        (r"(?!never)yes", [("yes",)], False),
        (r"\^caret\$? a{2}", [("^caret$ a", "^caret a")], False),
        ("(" * 200, [], False),
        ("", [], False),
    ],
)
def test_where_a_pattern_takes_anything_the_phrase_ends(
    pattern: str, groups: list[tuple[str, ...]], digits: bool
) -> None:
    found = phrases_of(pattern)
    assert list(found.groups) == groups
    assert found.digits == digits


words = st.sampled_from(["oat", "milk", "tea", "large"])
alternatives = st.lists(words, min_size=1, max_size=4).map(lambda some: "(?:" + "|".join(some) + ")")
patterns = st.lists(st.one_of(words, alternatives, alternatives.map(lambda some: some + "?")), min_size=1, max_size=4)


@given(patterns)
def test_every_phrase_of_a_pattern_without_gaps_is_found_by_it(parts: list[str]) -> None:
    pattern = " ".join(parts)
    for group in phrases_of(pattern).groups:
        for phrase in group:
            assert re.fullmatch(pattern.replace(" ", r"\s*"), phrase)


@settings(max_examples=300)
@given(st.text(alphabet=r"ab ()[]{}|?*+.\^$dw<>P=!:,0", max_size=80))
def test_any_text_at_all_can_be_read_as_a_pattern_in_bounded_work(pattern: str) -> None:
    found = phrases_of(pattern)
    assert sum(len(group) for group in found.groups) <= 200 * 40


def test_a_pattern_of_many_choices_is_cut_not_unfolded() -> None:
    found = phrases_of("(?:a|b|c|d) " * 60)
    assert max(len(group) for group in found.groups) <= 120


def test_keyterms_come_first_and_vendors_get_them_as_they_were_written() -> None:
    transcriber = {"keyterm": ["Voxbus"], "keywords": ["Kigali:2"], "keytermsPrompt": ["Nyamirambo Road"]}
    found = terms_of(transcriber=transcriber, model=with_tool(cup={"type": "string", "enum": ["Grande"]}))
    assert found.keyterms == ("Voxbus", "Nyamirambo Road", "Kigali", "Grande")
    assert found.groups == (("voxbus", "nyamirambo road", "kigali"), ("grande",))
    assert found.has_domain


def test_values_are_found_however_deep_a_parameter_lies() -> None:
    item = {"type": "object", "properties": {"kind": {"enum": ["latte", "tea"]}}}
    either = {"anyOf": [{"const": "small"}, {"type": "object", "properties": {"oz": {"enum": [8, 12]}}}]}
    found = terms_of(model=with_tool(items={"type": "array", "items": item}, size=either))
    assert set(found.groups) == {("latte", "tea"), ("small",), ("eight", "twelve")}


def test_what_answers_are_expected_is_seen_from_types_formats_patterns_and_descriptions() -> None:
    properties = {"people": {"type": "integer"}, "on": {"type": "string", "format": "date"}}
    assert terms_of(model=with_tool(**properties)).expected == ("dates", "numbers", "yes-no")
    rule = {"when": r"\d+", "say": "fine"}
    assert "digits" in terms_of(model={"script": {"rules": [rule]}}).expected
    prompt = {"role": "system", "content": "Ask for the phone number and have the e-mail spelled."}
    assert terms_of(model={"messages": [prompt]}).expected == ("digits", "spelling", "yes-no")


def test_a_parameter_with_values_of_its_own_expects_no_number_by_its_name() -> None:
    shots = {"type": "string", "enum": ["single shot"]}
    assert terms_of(model=with_tool(numberOfShots=shots)).expected == ("yes-no",)


def test_a_prompt_alone_gives_background_words_but_no_domain() -> None:
    prompt = {"role": "system", "content": "You work for Acme Dental, {{name}}."}
    found = terms_of(model={"messages": [prompt]})
    assert found.background == ("you", "work", "for", "acme", "dental")
    assert not found.has_domain
    assert not recognition_terms(Assistant()).has_domain
    assert not NO_TERMS.has_domain


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=4) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["properties", "items", "enum", "anyOf", "pattern", "type", "format"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_parameters_of_any_shape_do_no_harm(parameters: object) -> None:
    terms_of(model=with_tool(thing=parameters if isinstance(parameters, dict) else {"enum": parameters}))
