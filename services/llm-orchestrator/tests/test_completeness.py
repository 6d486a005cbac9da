"""Texts as callers say them, and whether they are whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_llm_orchestrator.completeness import completeness
from voxbus_llm_orchestrator.spoken_numbers import read_out

OPEN_NUMBERS = """
four two seven
my number is four one five
my number is four one five five five five
you can reach me at four one five five five five zero one
double five
oh seven seven double oh
oh seven seven double
five five
one two three four five
eight hundred five five five
it's 555
415-555
my number is 0
zip code nine oh two one
card number four two four two four two four two
zero two zero seven nine four six zero nine five
"""
WHOLE_NUMBERS = """
four one five five five five zero one two three
my number is four one five five five five zero one two three
zip code nine oh two one oh
my pin is four four one two
415-555-0123
four one five five five five oh one double two
one four one five five five five zero one two three
oh two oh seven nine four six oh nine five eight
four one five five five five to one for three
"""
UNFINISHED = """
i'd like to book a table for
i want a large coffee and
i would like to come on friday because
the
i need to cancel my
is that the
my number is
my name is
my email address is
it's spelled
my email is john at gmail
my email is john at gmail dot
john underscore
my address is twelve forty five maple
j o h n
b as in bravo
um
i was thinking um
let me see
yes but
the birch
i really want
can you tell me if
do you have any
what about the
i don't know if i'm
"""
WHOLE = """
yes
no thank you
okay
i don't know
where are you from
what is it for
can you help me
how much is it
what time do you open tomorrow
i want a large coffee
turn on the living room lamp
that's what i'm looking for
my name is john
my email is john at gmail dot com
my address is twelve forty five maple street
i need to cancel my order
i'd like to come on friday at five
it costs twenty five dollars
he was not an ill disposed young man
thank you
"""


def lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line]


@pytest.mark.parametrize("text", lines(OPEN_NUMBERS))
def test_a_number_being_read_out_is_open(text: str) -> None:
    judged = completeness(text)
    assert judged.kind in {"number-open", "announced"}
    assert judged.is_being_read_out
    assert judged.score <= 0.05


@pytest.mark.parametrize("text", lines(WHOLE_NUMBERS))
def test_a_number_with_all_its_digits_is_whole(text: str) -> None:
    assert completeness(text).kind == "number-done"


@pytest.mark.parametrize("text", lines(UNFINISHED))
def test_a_text_that_wants_another_word_is_unfinished(text: str) -> None:
    judged = completeness(text)
    assert not judged.looks_finished, judged


@pytest.mark.parametrize("text", lines(WHOLE))
def test_a_whole_text_looks_finished(text: str) -> None:
    judged = completeness(text)
    assert judged.looks_finished, judged


@pytest.mark.parametrize("text", ["i want a large coffee", "seven of clubs", "the birch", "so i was thinking"])
def test_punctuation_moves_the_score_both_ways(text: str) -> None:
    plain = completeness(text).score
    assert completeness(f"{text}.").score > plain
    assert completeness(f"{text},").score < plain
    assert completeness(f"{text}...").score < plain


@pytest.mark.parametrize("text", ["four one five.", "My number is 415-555.", "Oh seven seven, double oh."])
def test_a_full_stop_does_not_make_a_number_whole(text: str) -> None:
    assert completeness(text).kind == "number-open"


def test_a_full_stop_after_a_word_that_wants_another_is_hardly_believed() -> None:
    assert completeness("I want to go to the.").score < 0.3


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("double five", 2),
        ("triple zero", 3),
        ("oh double seven", 3),
        ("fifty five twelve", 4),
        ("eight hundred", 3),
        ("four two seven five", 4),
        ("plus one four one five", 4),
        ("my number is four for for", 3),
        ("(415) 555-0123", 10),
        ("i live here", 0),
        ("go to the one", 1),
        ("", 0),
    ],
)
def test_digits_are_counted_as_they_are_said(text: str, digits: int) -> None:
    assert read_out(text.split()).digits == digits


@pytest.mark.parametrize(
    ("asked", "text", "kind"),
    [
        ("What is your phone number?", "five", "number-open"),
        ("What is your zip code?", "nine oh two one", "number-open"),
        ("What is your zip code?", "nine oh two one oh", "number-done"),
        ("Thanks. What is your phone number?", "by the role to", "announced"),
        ("Thanks. What is your phone number?", "i don't have one", "sentence"),
        ("Thanks. What is your phone number?", "thirty rooms flights what city", "announced"),
        ("Thanks. What is your phone number?", "sorry my phone number", "sentence"),
        ("Your order number is five. Anything else?", "by the road", "sentence"),
        ("How many are you?", "five", "digit"),
        ("What is your e-mail address?", "john at example", "email-open"),
        ("What is your e-mail address?", "john at example dot org", "email-done"),
        ("Can you spell it?", "j", "spelling"),
        ("What is your address?", "twelve maple", "address-open"),
        ("What is your address?", "twelve maple street", "sentence"),
    ],
)
def test_a_question_announces_what_is_read_out_after_it(asked: str, text: str, kind: str) -> None:
    assert completeness(text, asked=asked).kind == kind


@pytest.mark.parametrize("text", ["a table for two", "at five thirty", "seven of clubs"])
def test_a_name_of_something_is_likelier_to_be_all_than_a_text_that_trails(text: str) -> None:
    assert completeness(text).score > completeness(f"{text} and the").score


def test_of_other_languages_only_punctuation_and_figures_are_read() -> None:
    assert completeness("ich möchte einen tisch für", "de").kind == "unknown"
    assert completeness("Ich möchte einen Tisch.", "de-DE").score > completeness("Ich möchte einen Tisch", "de").score
    assert completeness("meine nummer ist 030 555", "de").kind == "number-open"
    assert completeness("the", "en-US") == completeness("the")


WORDS = [
    "zero",
    "oh",
    "one",
    "two",
    "five",
    "nine",
    "double",
    "twenty",
    "to",
    "for",
    "my",
    "number",
    "is",
    "and",
    "the",
]


@given(st.lists(st.sampled_from(["zero", "oh", "one", "two", "three", "five", "nine"]), min_size=2, max_size=9))
def test_fewer_digits_than_a_phone_number_has_are_never_whole(digits: list[str]) -> None:
    for lead in ("", "my number is ", "sure it's "):
        assert completeness(lead + " ".join(digits)).kind == "number-open"


@given(st.lists(st.sampled_from(["one", "two", "three", "five", "nine"]), min_size=2, max_size=16), st.integers(1, 15))
def test_more_digits_never_make_a_number_less_whole(digits: list[str], cut: int) -> None:
    shorter, longer = completeness(" ".join(digits[: max(2, cut)])), completeness(" ".join(digits))
    assert longer.score >= shorter.score


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(["", ".", ",", "?", "...", " -"]))
def test_every_text_has_a_score_between_none_and_all(words: list[str], end: str) -> None:
    judged = completeness(" ".join(words) + end)
    assert 0 < judged.score < 1


@given(st.text(max_size=80))
def test_whatever_a_recognizer_writes_is_judged(text: str) -> None:
    assert 0 < completeness(text).score < 1


def test_a_statement_about_a_number_asks_for_none() -> None:
    told = "Your order number four two seven has shipped and should arrive on Friday."
    assert completeness("I would like to know where it is right now", asked=told).kind == "sentence"
    assert completeness("I would like to know where it is right now", asked=told).looks_finished
