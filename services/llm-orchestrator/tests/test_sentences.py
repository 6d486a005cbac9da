"""Cutting a stream of text into sentences to speak."""

import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxbus_llm_orchestrator.sentences import SentenceSplitter


def split(*chunks: str, min_characters: int = 30) -> list[str]:
    splitter = SentenceSplitter(min_characters)
    return [*(piece for chunk in chunks for piece in splitter.push(chunk)), *splitter.flush()]


def test_the_first_sentence_goes_out_as_soon_as_it_is_certain() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("Sure.") == []
    assert splitter.push(" Let") == ["Sure."]


def test_the_first_piece_may_end_at_a_comma_once_it_is_long_enough() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("Well, I looked into your order 4711, and") == ["Well, I looked into your order 4711,"]
    assert splitter.push(" it ships on Friday, which is tomorrow, in") == []


def test_later_sentences_ride_together_until_they_are_long_enough() -> None:
    assert split("Sure. Yes. No. Maybe. I would have to ask. Bye. ") == [
        "Sure.",
        "Yes. No. Maybe. I would have to ask.",
        "Bye.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "It costs 3.5 or 1,000.50 dollars at 5.30 p.m. on Jan. 5 in the U.S. Navy yard",
        "Ask Dr. Smith, Mr. Jones, Mrs. Hall, J. R. Hill or Prof. Ng, e.g. by mail, i.e. in writing etc. if needed",
        "Write to john.doe@mail.example.com or look at https://www.example.com/a.b?c=d!e;f today",
        "Well... I am not sure... perhaps… we could see",
        "Room no. 5 on p. 7 of vol. 3",
        "1. Apples",
        "Node.js and version 2.0.1 of it",
        '"Really?!", she asked',
        "At 10:30 or at 5:15 sharp",
    ],
)
def test_nothing_is_cut_inside_numbers_names_addresses_and_pauses(text: str) -> None:
    text = text.replace(", ", " ")  # the first piece may end at a comma
    assert split(text + ".", min_characters=1) == [text + "."]
    assert split(*text, ".", min_characters=1) == [text + "."]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("No. I did not.", "No."),
        ("Is it you? Yes.", "Is it you?"),
        ("Wow!!! Great.", "Wow!!!"),
        ("Hmm... Let me see.", "Hmm... Let me see."),
        ('"Yes." He left.', '"Yes."'),
        ('She said "yes." Then she left.', 'She said "yes."'),
        ("So do I. Then we agree.", "So do I."),
        ("That is 42. Is it not?", "That is 42."),
        ("Mail me at a@b.com. Thanks.", "Mail me at a@b.com."),
        ("今日は。元気ですか？", "今日は。"),
        ("First line\nSecond line", "First line"),
        ("Windows line\r\nSecond line", "Windows line"),
    ],
)
def test_a_sentence_ends_here(text: str, first: str) -> None:
    assert split(text)[0] == first


def test_a_flush_tag_sends_what_is_there_at_once() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("One moment <flu") == []
    assert splitter.push("sh />") == ["One moment"]
    assert splitter.push("please, sir </ FLUSH >ok< flush>") == ["please, sir", "ok"]
    assert splitter.flush() == []


def test_a_long_sentence_is_never_cut_inside_a_flush_tag() -> None:
    for length in range(185, 200):
        assert split(*("x" * length + "< flush />now")) == ["x" * length, "now"]


def test_after_a_flush_the_next_sentence_counts_as_first_again() -> None:
    splitter = SentenceSplitter()
    splitter.push("One moment. I will look it up for you.<flush/>")
    assert splitter.push("Yes. It") == ["Yes."]


def test_a_bracket_that_becomes_no_flush_tag_is_text() -> None:
    assert split("a <fl", "ag and 1 < 2", " <", "flushing> b") == ["a <flag and 1 < 2 b"]


def test_a_long_sentence_is_cut_at_its_last_comma_else_at_a_space() -> None:
    with_commas = "and then we went on, " * 20
    pieces = split(f"Yes. {with_commas}")
    assert all(piece.endswith("on,") and 150 <= len(piece) <= 200 for piece in pieces[1:-1])
    without = split("Yes. " + "word " * 100)
    assert all(190 <= len(piece) <= 200 for piece in without[1:-1])


def test_a_long_sentence_is_cut_while_it_still_comes() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("word " * 41) != []


def test_a_word_longer_than_any_sentence_is_never_cut() -> None:
    assert split("Look: " + "x" * 1000 + " there") == ["Look:", "x" * 1000, "there"]


def test_pieces_are_cleaned_and_those_of_nothing_but_marks_dropped() -> None:
    assert split("**Hello there. How *are* you doing on this day?** \n***\n- One thing I want\n- Two") == [
        "Hello there.",
        "How are you doing on this day?",
        "One thing I want. Two",
    ]


def test_wrong_limits_are_refused_naming_the_field() -> None:
    with pytest.raises(ValueError, match="min_characters"):
        SentenceSplitter(0)
    with pytest.raises(ValueError, match="min_characters"):
        SentenceSplitter(300)


WORDS = st.sampled_from(
    re.split(
        " +",
        "yes No I order 3.5 10:30 Dr. e.g. U.S. p.m. no. 5 5. a@b.com https://a.b/c?d well... Hm… ok! what?! 1,000 "
        "(so) “he” said.” and, then; so: — éé 今日は。 元気？ **bold** _it_ < <fl 1<2 > # - [a] `x` "
        "averyveryverylongwordindeed",
    )
)
SPACES = st.sampled_from([" ", " ", " ", "  ", "\n", "\r\n", "\t", "\u00a0", ""])
FLUSHES = st.sampled_from(["<flush />", "<flush>", "< / flush>", "</FLUSH>"])
PIECES = st.lists(st.one_of(WORDS, SPACES, SPACES, FLUSHES), max_size=120)


def chunked(text: str, cuts: list[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(places)]


@settings(deadline=None)
@given(PIECES.map("".join), st.lists(st.integers(0, 10_000), max_size=30))
@example("no. " + "5" * 3, [3])
def test_pieces_do_not_depend_on_how_the_text_arrives(text: str, cuts: list[int]) -> None:
    at_once = split(text)
    assert split(*chunked(text, cuts)) == at_once
    assert split(*text) == at_once


def eagerly(*chunks: str) -> list[list[str]]:
    """What each chunk brings, and what is left at the end."""
    splitter = SentenceSplitter(is_eager=True)
    return [*(splitter.push(chunk) for chunk in chunks), splitter.flush()]


def test_an_eager_splitter_gives_the_first_sentence_out_with_the_delta_that_ends_it() -> None:
    assert eagerly("Your order", " ships", " tomorrow", ".", " Any", "thing else?") == [
        [], [], [], ["Your order ships tomorrow."], [], [], ["Anything else?"],
    ]  # fmt: skip
    assert eagerly("Sure!", " Let me look.", " One moment.") == [["Sure!"], [], [], ["Let me look. One moment."]]


@pytest.mark.parametrize(
    "chunks",
    [
        ("It costs 3", ".", "5 euros."),
        ("Ask Dr", ".", " Smith."),
        ("It is No", ".", " 5."),
        ("At 5 p.m", ".", " on Friday."),
        ("Well", "...", " I see."),
        ("J", ".", " Smith is here."),
        ("1", ".", " Apples."),
        ("See www.example", ".com", "."),
    ],
)
def test_an_eager_splitter_waits_where_a_stop_may_go_on(chunks: tuple[str, ...]) -> None:
    assert eagerly(*chunks)[:2] == [[], []]


def test_marks_that_follow_an_eager_sentence_are_not_spoken() -> None:
    assert eagerly("He said really?", '!"', " Yes, he did say so, I am quite sure.") == [
        ["He said really?"], [], [], ["Yes, he did say so, I am quite sure."],
    ]  # fmt: skip


@settings(deadline=None)
@given(PIECES.map("".join), st.lists(st.integers(0, 10_000), max_size=30))
def test_an_eager_splitter_loses_no_word_however_the_text_arrives(text: str, cuts: list[int]) -> None:
    def words(pieces: list[str]) -> str:
        return re.sub(r"[\W_]+", "", "".join(pieces))

    eager = SentenceSplitter(clean=str, is_eager=True)
    plain = SentenceSplitter(clean=str)
    chunks = chunked(text, cuts)
    said = [piece for chunk in chunks for piece in eager.push(chunk)] + eager.flush()
    assert words(said) == words([piece for chunk in chunks for piece in plain.push(chunk)] + plain.flush())


@settings(deadline=None)
@given(PIECES.map("".join), st.lists(st.integers(0, 10_000), max_size=30), st.integers(1, 80))
def test_no_character_is_lost_or_moved_and_no_word_cut(text: str, cuts: list[int], min_characters: int) -> None:
    splitter = SentenceSplitter(min_characters, clean=str)
    pieces = [piece for chunk in chunked(text, cuts) for piece in splitter.push(chunk)] + splitter.flush()
    without_flush = re.sub(r"<\s*flush\s*/?>|<\s*/\s*flush\s*>", "\n", text, flags=re.IGNORECASE)
    assert "".join("".join(pieces).split()) == "".join(without_flush.split())
    ends_in_words = re.sub(r"([。？][\"'”’»)\]*_`]*)", r"\1 ", without_flush).split()
    assert re.sub(r"([。？][\"'”’»)\]*_`]*)", r"\1 ", " ".join(pieces)).split() == ends_in_words


@settings(deadline=None)
@given(
    st.one_of(st.text(max_size=300), st.text('abN5 .,!?…。:-\n\t"<>/flu', max_size=200)),
    st.lists(st.integers(0, 10_000), max_size=30),
)
def test_any_text_at_all_keeps_its_characters_and_does_not_depend_on_chunks(text: str, cuts: list[int]) -> None:
    splitter = SentenceSplitter(5, 20, clean=str)
    pieces = [piece for chunk in chunked(text, cuts) for piece in splitter.push(chunk)] + splitter.flush()
    at_once = SentenceSplitter(5, 20, clean=str)
    assert pieces == at_once.push(text) + at_once.flush()
    assert "".join("".join(pieces).split()) == "".join(text.split())


PLAIN = st.lists(
    st.sampled_from(
        ["yes", "No", "3.5", "Dr.", "ok!", "what?", "and,", "so:", "well...", "今日は。", "a@b.com\n", "\n"]
    ),
    max_size=80,
)


@settings(deadline=None)
@given(PLAIN.map(" ".join))
def test_cleaning_loses_no_word_of_plain_text(text: str) -> None:
    assert re.findall(r"\w+", " ".join(split(text))) == re.findall(r"\w+", text)
