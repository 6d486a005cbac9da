"""Long texts are cut where a speaker would breathe."""

from hypothesis import given
from hypothesis import strategies as st

from voxbus_tts_worker.text_pieces import pieces


def test_a_short_text_stays_whole() -> None:
    assert pieces("It ships on Friday. Anything else?", 300) == ["It ships on Friday. Anything else?"]


def test_a_long_text_is_cut_between_sentences() -> None:
    assert pieces("One two three. Four five six. Seven eight nine.", 32) == [
        "One two three. Four five six.",
        "Seven eight nine.",
    ]


def test_a_long_sentence_is_cut_behind_a_comma_and_a_long_clause_between_words() -> None:
    assert pieces("One two three, four five six", 20) == ["One two three,", "four five six"]
    assert pieces("one two three four five six", 15) == ["one two three", "four five six"]


def test_a_word_without_end_is_cut_hard() -> None:
    assert pieces("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


def test_nothing_to_say_is_no_piece() -> None:
    assert pieces("", 10) == []
    assert pieces(" \n ", 10) == []


@given(st.text(st.characters(codec="utf-8"), max_size=300), st.integers(1, 40))
def test_nothing_but_space_is_lost_and_no_piece_is_too_long(text: str, limit: int) -> None:
    cut = pieces(text, limit)
    assert all(0 < len(piece) <= limit for piece in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())
