"""The language model of an assistant's domain: probabilities, the general language, pronunciations, the folder."""

import json
import math
import struct
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketsphinx import get_model_path

from voxbus_providers.terms import RecognitionTerms
from voxbus_stt_worker.language.build import build, forget_oldest, model_key
from voxbus_stt_worker.language.general import BadModelFile, GeneralLanguage, general_language
from voxbus_stt_worker.language.ngrams import END, START, NgramCounts, arpa, mixed
from voxbus_stt_worker.language.pronunciations import Pronunciations, spelled_out
from voxbus_stt_worker.language.sentences import sentences
from voxbus_stt_worker.providers.pocketsphinx_wire import ARPA, DICTIONARY

WHEEL = Path(get_model_path()) / "en-us"
SOUND_LINES = (WHEEL / "cmudict-en-us.dict").read_text().splitlines()
PHONES = {phone for line in SOUND_LINES for phone in line.split()[1:]}
TERMS = RecognitionTerms(groups=(("oat milk", "sugar"), ("zyxcoffee",)), background=("barista",), expected=("digits",))
DICT = b"a AH\na(2) EY\nab AE B\nmilk M IH L K\noat OW T\nsugar SH UH G ER\nthe DH AH\n"


class Model:
    """An ARPA model as a decoder reads it: back-off from triples to pairs to words."""

    def __init__(self, lines: list[str]) -> None:
        self.grams: dict[tuple[str, ...], float] = {}
        self.rests: dict[tuple[str, ...], float] = defaultdict(lambda: 1.0)
        order = 0
        for line in "".join(lines).splitlines():
            if line.endswith("-grams:"):
                order = int(line[1])
            elif order and line and not line.startswith("\\"):
                log10, *words = line.split()
                gram = tuple(words[:order])
                self.grams[gram] = 10 ** float(log10)
                if len(words) > order:
                    self.rests[gram] = 10 ** float(words[order])

    def probability(self, word: str, context: tuple[str, ...]) -> float:
        if (*context, word) in self.grams:
            return self.grams[*context, word]
        return self.rests[context] * self.probability(word, context[1:])


texts = st.lists(st.lists(st.sampled_from("abcd"), min_size=0, max_size=5), min_size=1, max_size=12)


@given(texts, st.floats(0.0, 0.9))
def test_the_probabilities_after_every_context_add_up_to_one(said: list[list[str]], share: float) -> None:
    counts = NgramCounts()
    for sentence in said:
        counts.add(sentence, 0.7)
    counts.add_pair("a", "e", 2.5)
    words = mixed(counts.words(), {"a": 0.5, "e": 0.2, START: 0.3}, max(share, 0.01))
    model = Model(list(arpa(counts, words)))
    contexts: list[tuple[str, ...]] = [(), (START,), ("a",), ("e",), ("a", "b"), (START, "c"), ("e", "e")]
    for context in contexts:
        total = sum(model.probability(word, context) for word in words)
        assert math.isclose(total, 1.0, abs_tol=2e-3), context


def test_what_was_said_often_is_likelier_than_what_was_said_once() -> None:
    counts = NgramCounts()
    for text in ("oat milk please", "oat milk please", "oat tea please"):
        counts.add(text.split())
    model = Model(list(arpa(counts, mixed(counts.words(), {}, 0.0))))
    assert model.probability("milk", (START, "oat")) > model.probability("tea", (START, "oat"))
    assert model.probability(END, ("milk", "please")) > 0.5


def test_the_general_language_of_the_wheel_knows_its_commonest_words_and_pairs() -> None:
    general = general_language((WHEEL / "en-us.lm.bin").read_bytes(), 500, 1_000)
    assert {"the", "you", "yeah", END} <= set(general.words)
    assert len(general.words) == 500
    pairs = {(before, after): p for before, after, p in general.pairs}
    assert len(pairs) == 1_000
    assert ("you", "know") in pairs
    assert ("the", "the") not in pairs
    assert all(p <= general.words[before] for (before, _after), p in pairs.items())


def test_a_file_of_another_form_is_refused() -> None:
    with pytest.raises(BadModelFile):
        general_language(b"\\data\\\nngram 1=2", 10, 10)
    with pytest.raises(BadModelFile):
        general_language(_tiny_trie(words=b"only\0"), 10, 10)


def _tiny_trie(words: bytes) -> bytes:
    tables = np.zeros(3 * 65_536, "<f4").tobytes()
    unigrams = np.zeros(3, [("p", "<f4"), ("rest", "<f4"), ("first", "<u4")]).tobytes()
    head = b"Trie Language Model\x03" + struct.pack("<4I", 2, 0, 0, 1)
    pairs = bytes(((1 + 0) * (2 + 32 + 0) + 7) // 8 + 8)
    triples = bytes(((1 + 0) * (2 + 16) + 7) // 8 + 8)
    return head + tables + unigrams + pairs + triples + struct.pack("<I", len(words)) + words


def test_readings_come_from_the_dictionary_all_of_them() -> None:
    sounds = Pronunciations(DICT)
    assert sounds.known("a") == ["AH", "EY"]
    assert sounds.known("ab") == ["AE B"]
    assert sounds.known("the") == ["DH AH"]
    assert sounds.known("aa") == []
    assert sounds.known("zz") == []
    assert list(sounds.lines(["a"])) == ["a AH\n", "a(2) EY\n"]


def test_every_word_of_the_real_dictionary_is_found() -> None:
    data = (WHEEL / "cmudict-en-us.dict").read_bytes()
    sounds = Pronunciations(data)
    for line in data.decode().splitlines()[::997]:
        word, _, phones = line.partition(" ")
        assert phones.strip() in sounds.known(word.partition("(")[0])


@pytest.mark.parametrize(
    ("word", "phones"),
    [("latte", "L AE T"), ("shop", "SH AA P"), ("zyx", "Z IH K S"), ("mike", "M AY K"), ("loreley", "L AO R EH L IY")],
)
def test_a_word_the_dictionary_lacks_is_read_by_its_spelling(word: str, phones: str) -> None:
    assert spelled_out(word) == phones


def test_a_compound_is_read_by_its_parts() -> None:
    assert Pronunciations(DICT).of("oat-milk's") == ["OW T M IH L K S"]


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz'-", min_size=1, max_size=12).filter(lambda word: word.strip("'-")))
def test_every_word_has_a_reading_of_phones_the_acoustic_model_has(word: str) -> None:
    assert set(" ".join(Pronunciations(DICT).of(word)).split()) <= PHONES


def test_the_same_terms_make_the_same_sentences_and_hold_every_term() -> None:
    first, again = list(sentences(TERMS)), list(sentences(TERMS))
    assert first == again
    text = " | ".join(" ".join(words) for words in first)
    for term in ("oat milk", "sugar", "zyxcoffee", "uh-huh", "yes", "seven"):
        assert term in text


@pytest.mark.parametrize("expected", ["digits", "numbers", "dates", "times", "spelling"])
def test_expected_answers_are_among_the_sentences(expected: str) -> None:
    terms = RecognitionTerms(groups=(("tea",),), expected=(expected,))  # type: ignore[arg-type]
    sample = {"digits": "seven", "numbers": "forty", "dates": "monday", "times": "half", "spelling": "dot"}[expected]
    with_it = {word for words in sentences(terms) for word in words}
    without = {word for words in sentences(RecognitionTerms(groups=(("tea",),))) for word in words}
    assert sample in with_it - without


def test_a_model_folder_holds_every_word_with_its_sound(tmp_path: Path) -> None:
    general = GeneralLanguage({"the": 0.5, "a": 0.4, END: 0.1}, (("the", "a", 0.01),))
    build(tmp_path / "cache" / "one", TERMS, general, Pronunciations(DICT))
    model = Model((tmp_path / "cache" / "one" / ARPA).read_text().splitlines(keepends=True))
    sounds = {line.split()[0] for line in (tmp_path / "cache" / "one" / DICTIONARY).read_text().splitlines()}
    words = {gram[0] for gram in model.grams if len(gram) == 1} - {START, END}
    assert words == {word for word in sounds if "(" not in word}
    assert {"oat", "milk", "zyxcoffee", "barista", "the", "seven"} <= words
    assert [each.name for each in (tmp_path / "cache").iterdir()] == ["one"]


def test_a_key_names_the_terms_and_nothing_else() -> None:
    assert model_key(TERMS) == model_key(RecognitionTerms(**{f: getattr(TERMS, f) for f in TERMS.__slots__}))
    assert model_key(TERMS) != model_key(RecognitionTerms(groups=TERMS.groups))
    assert json.dumps(model_key(TERMS)).isascii()


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path: Path) -> None:
    import os

    for age, name in enumerate(("new", "mid", "old")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_000 - age, 1_000 - age))
    forget_oldest(tmp_path, kept=2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mid", "new"]
