"""Is what the caller has said a whole thing to say? Judged by its words, with punctuation where there is any. Pure.

English only; of other languages nothing but punctuation and digits is read. The weights of ordinary sentences were
fitted to texts at holds and at ends of the tuning half of the turn-taking score, and rounded; November 2026.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from voxbus_llm_orchestrator import english as en
from voxbus_llm_orchestrator.spoken_numbers import is_number, read_out

Kind = Literal[
    "nothing",
    "filler",
    "number-open",
    "number-done",
    "digit",
    "email-open",
    "email-done",
    "spelling",
    "address-open",
    "announced",
    "short-answer",
    "trailing",
    "sentence",
    "unknown",
]

_SCORES: Final[dict[Kind, float]] = {
    "nothing": 0.3,
    "filler": 0.05,
    "number-open": 0.002,
    "number-done": 0.93,
    "digit": 0.15,
    "email-open": 0.005,
    "email-done": 0.91,
    "spelling": 0.015,
    "address-open": 0.08,
    "announced": 0.01,
    "short-answer": 0.91,
    "unknown": 0.5,
}
"""Of `digit`, one digit and nothing else: an answer to "how many", or the start of a number nobody announced."""

# Log odds of an ordinary sentence: what all begin with, and what moves it.
_SENTENCE: Final = -0.5
_TRAILING: Final = -2.6
_HARDLY_LAST: Final = -1.8
_SELDOM_LAST: Final = -1.5
_OFTEN_LAST: Final = 0.4
_QUESTION: Final = 0.5
_ENDS_WITH_ITS_ONLY_VERB: Final = -0.7
_SUBORDINATE: Final = -0.9
_NO_VERB: Final = -0.2
_SHORT: Final = {1: -1.2, 2: -0.8, 3: -0.4}
_LONG: Final = 1.6
_LONG_WORDS: Final = 8
_PERIOD: Final = 1.5
_COMMA: Final = -1.0

_WORD: Final = re.compile(r"[^\s,;:!?\"…]+")
_ENDS_SENTENCE: Final = re.compile(r"[.!?][\"')\]]*$")
_GOES_ON: Final = re.compile(r"(\.\.\.|…|[,;:\-–—])[\"')\]]*$")
_PUNCTUATED: Final = re.compile(r"[.,!?;:](\s|$)")
_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+")
_NUMBERS: Final = frozenset({"number-open", "number-done"})
_READ_OUT: Final = frozenset({"number-open", "email-open", "spelling", "announced"})
_SPOKEN: Final = frozenset({"trailing", "sentence"})
_CACHED_TEXTS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Completeness:
    """What kind of text it is, and the probability by its words alone that nothing more comes, 0..1."""

    kind: Kind
    score: float

    @property
    def is_being_read_out(self) -> bool:
        """Digits, an address or a spelling are under way or were announced: a pause in it means nothing."""
        return self.kind in _READ_OUT

    @property
    def is_sentence(self) -> bool:
        """Ordinary English, neither read out nor an answer by itself: the way it is spoken tells something, too."""
        return self.kind in _SPOKEN

    @property
    def looks_finished(self) -> bool:
        """Good enough to start working on an answer."""
        return self.score >= 0.4


@lru_cache(maxsize=_CACHED_TEXTS)
def completeness(text: str, language: str = "en", asked: str = "") -> Completeness:
    """Judges a text as a recognizer gives it, with or without punctuation.

    `language` is a BCP 47 tag; `asked` = what the assistant said last: a question for a number, an e-mail address or a
    spelling, in its last sentence, announces it.
    """
    words = _words_of(text)
    kind = _kind(words, _is_english(language), _asked_for(_last_sentence(asked)))
    odds = _sentence_odds(words, kind) if kind in {"trailing", "sentence"} else _odds(_SCORES[kind])
    odds += _of_punctuation(kind, text)
    return Completeness(kind, 1 / (1 + math.exp(-odds)))


def _last_sentence(text: str) -> str:
    return next((sentence for sentence in reversed(_SENTENCES.split(text)) if sentence.strip()), "")


def _asked_for(sentence: str) -> list[str]:
    """The words of a question or a request; none of a statement, though it may speak of a number, too."""
    words = _words_of(sentence)
    asks = "?" in sentence or (words and words[0] in en.QUESTION_WORDS) or not en.REQUESTS.isdisjoint(words)
    return words if asks else []


def _words_of(text: str) -> list[str]:
    words = (word.strip(".'()[]").lower() for word in _WORD.findall(text))
    return [word for word in words if word]


def _is_english(language: str) -> bool:
    return language.lower().split("-")[0] in {"en", "multi", ""}


def _kind(words: list[str], is_english: bool, asked: list[str]) -> Kind:
    if not words:
        return "nothing"
    number = read_out(words, asked)
    is_refusal = number.digits == 1 and _refuses(words)
    if number.is_reading and not is_refusal:
        return "number-done" if number.is_complete else "number-open"
    if number.digits == 1 and len(words) == 1:
        return "digit"
    if not is_english:
        return "unknown"
    return _special(words, asked) or ("trailing" if _is_trailing(words) else "sentence")


def _of_punctuation(kind: Kind, text: str) -> float:
    """A recognizer's punctuation moves the odds, and it never makes a number whole."""
    stripped = text.rstrip()
    if kind in _NUMBERS or not _PUNCTUATED.search(stripped):
        return 0.0
    if _GOES_ON.search(stripped) or not _ENDS_SENTENCE.search(stripped):
        return _COMMA
    return _PERIOD / 3 if kind == "trailing" or kind in _READ_OUT else _PERIOD


# --- things that are read out, and hesitation ---


def _special(words: list[str], asked: list[str]) -> Kind | None:
    text, last = " ".join(words), words[-1]
    if text in en.SHORT_ANSWERS:
        return "short-answer"
    if last in en.FILLERS or text.endswith(en.HESITATIONS):
        return "filler"
    if _is_email(words, asked):
        return "email-done" if _ends_email(words) else "email-open"
    if _announces(words) or _owes_a_number(words, asked):
        return "announced"
    if _is_spelling(words, asked):
        return "spelling"
    return "address-open" if _is_half_an_address(words, asked) else None


def _is_email(words: list[str], asked: list[str]) -> bool:
    tail = words[-8:]
    if any("@" in word for word in tail) or ("at" in tail[:-1] and "dot" in tail[tail.index("at") :]):
        return True
    if tail[-1] in {"dot", "underscore"} or tail[-2:] in (["at", "gmail"], ["at", "hotmail"], ["at", "yahoo"]):
        return True
    return bool({"email", "e-mail", "mail"}.intersection(asked)) and ("at" in tail or "dot" in tail)


def _ends_email(words: list[str]) -> bool:
    """With "dot com", or written as one word."""
    if "@" in words[-1]:
        return "." in words[-1].partition("@")[2]
    return len(words) > 2 and words[-2] == "dot" and words[-1] in en.EMAIL_ENDS and "at" in words[:-2]


def _announces(words: list[str]) -> bool:
    """As in "my number is", "the address is", "my name is", "it's spelled"."""
    if words[-1] in {"is", "are", "it's"} and len(words) >= 2:
        nouns = en.NUMBER_NOUNS | {"name", "address", "email", "birthday", "birth", "mail"}
        return any(word in nouns for word in words[-5:-1])
    return words[-1] in en.SPELLING_CUES


def _owes_a_number(words: list[str], asked: list[str]) -> bool:
    """A number was asked for and nothing like a refusal came: what sounds like words may be digits badly heard."""
    return not en.NUMBER_NOUNS.isdisjoint(asked) and not _refuses(words)


def _refuses(words: list[str]) -> bool:
    return words[0] in en.REFUSING_STARTS or not en.REFUSALS.isdisjoint(words)


def _is_spelling(words: list[str], asked: list[str]) -> bool:
    """Letters one by one, or "b as in bravo"."""
    if words[-2:] == ["as", "in"] or words[-3:-1] == ["as", "in"]:
        return True
    letters = 0
    for word in reversed(words):
        if len(word) == 1 and word.isalpha():
            letters += 1
        elif word not in {"double", "dash", "hyphen"}:
            break
    return letters >= (1 if "spell" in asked else 2)


def _is_half_an_address(words: list[str], asked: list[str]) -> bool:
    """An address was announced, its number is there, and no street yet."""
    is_address = "address" in words or "address" in asked or ("live" in words and "at" in words)
    has_number = any(read_out([word]).digits for word in words)
    return is_address and has_number and en.STREET_ENDS.isdisjoint(words)


# --- ordinary sentences ---


def _sentence_odds(words: list[str], kind: Kind) -> float:
    """Log odds of a sentence's end by its last words, its verb and its length."""
    odds = _SENTENCE + _LONG * min(len(words), _LONG_WORDS) / _LONG_WORDS + _SHORT.get(len(words), 0.0)
    if kind == "trailing":
        return odds + _TRAILING
    is_question = _is_question(words)
    return odds + _of_last_word(words) + _of_verb(words, is_question) + (_QUESTION if is_question else 0.0)


def _is_question(words: list[str]) -> bool:
    return len(words) >= 3 and (words[0] in en.QUESTION_WORDS or words[0] in en.INVERSIONS)


def _is_trailing(words: list[str]) -> bool:
    """The last word is a little one that wants another."""
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in en.STRANDABLE and len(words) >= 3 and (_is_question(words) or _may_strand(words)):
        return False
    if last in {"this", "these", "those", "that"} and len(words) >= 3:
        return before in en.CONJUNCTIONS or (before in en.AUXILIARIES and not _is_question(words))
    if last in en.AUXILIARIES:
        asks_where = before in {*en.SUBJECTS, "you", "it", "that"} and words[0] in en.QUESTION_WORDS
        return len(words) < 3 or not asks_where
    return last in en.ARTICLES or last in en.CONJUNCTIONS or last in en.PREPOSITIONS or last in en.SUBJECTS


def _may_strand(words: list[str]) -> bool:
    """As in "that's what i'm looking for", "turn it on", "yes i'd love to"."""
    if words[-1] == "to":
        return words[-2] in {"like", "love", "want", "have", "going", "supposed"} and words[0] in en.SHORT_ANSWERS
    return "what" in words[-5:-2] or (words[-2] in {"it", "them", "that", "me"} and words[-1] in {"on", "in", "over"})


def _of_last_word(words: list[str]) -> float:
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in en.HARDLY_LAST:
        return _HARDLY_LAST
    is_noun = before in en.ARTICLES and last in en.VERBS
    if last in en.SELDOM_LAST and not is_noun and not is_number(last):
        return _SELDOM_LAST
    return _OFTEN_LAST if last in en.OFTEN_LAST or f"{before} {last}" in en.SHORT_ANSWERS else 0.0


def _of_verb(words: list[str], is_question: bool) -> float:
    """A clause has a verb and something after it; one that began with "if" or "when" wants another clause."""
    odds = _SUBORDINATE if words[0] in en.SUBORDINATORS and len(words) <= _LONG_WORDS and not is_question else 0.0
    verbs = [at for at, word in enumerate(words) if word in en.VERBS or (len(word) > 4 and word.endswith("ed"))]
    if not verbs:
        return odds + _NO_VERB
    return odds + (_ENDS_WITH_ITS_ONLY_VERB if verbs == [len(words) - 1] and len(words) > 1 else 0.0)


def _odds(share: float) -> float:
    """Log odds."""
    return math.log(share / (1 - share))
