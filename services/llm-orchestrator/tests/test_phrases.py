"""Which words nod, which words stop, which count."""

import pytest

from voxbus_contracts.stopping import ACKNOWLEDGEMENT_PHRASES, INTERRUPTION_PHRASES
from voxbus_llm_orchestrator.phrases import DEFAULT_PHRASES, phrases_of, words_of


def test_case_apostrophes_and_hyphens_do_not_matter() -> None:
    assert words_of("I'm WITH you - uh-huh!") == ("im", "with", "you", "uh", "huh")
    assert words_of(" … ") == ()


@pytest.mark.parametrize(
    "text", [*ACKNOWLEDGEMENT_PHRASES, "Uh huh.", "Mm-hmm, okay.", "mmhmm", "um, yeah, sure", "hm"]
)
def test_acknowledgements_and_hesitations_in_any_spelling_and_number_count_nothing(text: str) -> None:
    assert DEFAULT_PHRASES.acknowledges(words_of(text))
    assert DEFAULT_PHRASES.counted(words_of(text)) == 0
    assert not DEFAULT_PHRASES.interrupts(words_of(text))


@pytest.mark.parametrize("text", ["", "where is my order", "yeah where is it", "i see no reason", "okay stop"])
def test_anything_else_is_no_acknowledgement(text: str) -> None:
    assert not DEFAULT_PHRASES.acknowledges(words_of(text))


def test_words_beside_an_acknowledgement_count_all_but_hesitations_do_not() -> None:
    assert DEFAULT_PHRASES.counted(words_of("um yeah where is it")) == 4


@pytest.mark.parametrize("text", [*INTERRUPTION_PHRASES, "okay STOP", "Don't!", "well, no"])
def test_an_interruption_phrase_is_found_anywhere_as_a_whole_word(text: str) -> None:
    assert DEFAULT_PHRASES.interrupts(words_of(text))
    assert not DEFAULT_PHRASES.interrupts(words_of("stopwatch northern button"))


@pytest.mark.parametrize("guess", ["i", "got", "uh", "mm", "okay i", "al"])
def test_a_guess_that_begins_an_acknowledgement_may_become_one(guess: str) -> None:
    assert DEFAULT_PHRASES.may_acknowledge(words_of(guess))
    assert not DEFAULT_PHRASES.may_acknowledge(words_of("where is"))


def test_a_phrase_of_several_words_interrupts_only_when_they_stand_together() -> None:
    phrases = phrases_of([], ["hang on"])
    assert phrases.interrupts(words_of("please hang on a minute"))
    assert not phrases.interrupts(words_of("on hang"))


def test_what_stands_in_both_lists_does_what_the_given_list_says() -> None:
    nods = phrases_of(["no"], INTERRUPTION_PHRASES)
    assert nods.acknowledges(("no",)) and not nods.interrupts(("no",)) and nods.interrupts(("stop",))
    stops = phrases_of(ACKNOWLEDGEMENT_PHRASES, ["yeah"])
    assert stops.interrupts(("yeah",)) and not stops.acknowledges(("yeah",)) and stops.acknowledges(("okay",))
