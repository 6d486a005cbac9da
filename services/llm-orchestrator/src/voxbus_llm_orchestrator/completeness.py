"""Is what the caller has said a whole thing to say? Judged by its words, with punctuation where there is any. Pure.

English only; of other languages nothing but punctuation and figures is read. The scores are shares of texts of that
kind which were the end of a turn, tuned on one half of the recordings of the turn-taking score and then rounded.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from voxbus_llm_orchestrator import english as en
from voxbus_llm_orchestrator.spoken_numbers import ReadOut, read_out

Kind = Literal[
    "nothing",
    "filler",
    "number-open",
    "number-done",
    "email-open",
    "email-done",
    "spelling",
    "address-open",
    "announced",
    "trailing",
    "short-answer",
    "question",
    "unfinished",
    "fragment",
    "clause",
    "unknown",
]

SCORES: Final[dict[Kind, float]] = {
    "nothing": 0.3,
    "filler": 0.05,
    "number-open": 0.02,
    "number-done": 0.9,
    "email-open": 0.03,
    "email-done": 0.85,
    "spelling": 0.05,
    "address-open": 0.1,
    "announced": 0.03,
    "trailing": 0.05,
    "short-answer": 0.95,
    "question": 0.9,
    "unfinished": 0.2,
    "fragment": 0.5,
    "clause": 0.75,
    "unknown": 0.6,
}

_WORD: Final = re.compile(r"[^\s,;:!?\"…]+")
_ENDS_SENTENCE: Final = re.compile(r"[.!?][\"')\]]*$")
_GOES_ON: Final = re.compile(r"(\.\.\.|…|[,;:\-–—])[\"')\]]*$")
_PUNCTUATED: Final = re.compile(r"[.,!?;:](\s|$)")
_NUMBERS: Final = frozenset({"number-open", "number-done"})
_CACHED_TEXTS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Completeness:
    """What kind of text it is, and the probability by its words alone that nothing more comes, 0..1."""

    kind: Kind
    score: float

    @property
    def is_number_open(self) -> bool:
        """Digits, an address or a spelling are being read out, or were announced: a pause in it means nothing."""
        return self.kind in {"number-open", "email-open", "spelling", "announced"}

    @property
    def looks_finished(self) -> bool:
        """Good enough to start working on an answer."""
        return self.score >= 0.5


@lru_cache(maxsize=_CACHED_TEXTS)
def completeness(text: str, language: str = "en") -> Completeness:
    """Judges a text as a recognizer gives it, with or without punctuation; the language as a BCP 47 tag."""
    kind = _kind(text, language)
    return Completeness(kind, _with_punctuation(SCORES[kind], kind, text))


def _kind(text: str, language: str) -> Kind:
    words = [word.strip(".'()[]").lower() for word in _WORD.findall(text)]
    words = [word for word in words if word]
    if not words:
        return "nothing"
    is_english = language.lower().split("-")[0] in {"en", "multi", ""}
    number = read_out(words)
    if number.is_reading:
        return "number-done" if number.is_complete else "number-open"
    if not is_english:
        return "unknown"
    return _special(words) or _sentence(words, number)


def _with_punctuation(score: float, kind: Kind, text: str) -> float:
    """A recognizer's punctuation moves the score, and it never makes a number whole."""
    stripped = text.rstrip()
    if kind in _NUMBERS or not _PUNCTUATED.search(stripped):
        return score
    if _GOES_ON.search(stripped) or not _ENDS_SENTENCE.search(stripped):
        return score * 0.4
    return 1 - (1 - score) * (0.4 if score >= 0.3 else 0.85)


def _special(words: list[str]) -> Kind | None:
    """Things that are read out, and hesitation."""
    text, last = " ".join(words), words[-1]
    if text in en.SHORT_ANSWERS:
        return "short-answer"
    if last in en.FILLERS or text.endswith(en.HESITATIONS):
        return "filler"
    if _is_email(words):
        return "email-done" if len(words) > 2 and words[-2] == "dot" and last in en.EMAIL_ENDS else "email-open"
    if _announces(words):
        return "announced"
    if _is_spelling(words):
        return "spelling"
    return "address-open" if _is_half_an_address(words) else None


def _is_email(words: list[str]) -> bool:
    if any("@" in word for word in words[-1:]):
        return False
    tail = words[-8:]
    if "at" in tail[:-1] and "dot" in tail:
        return tail.index("dot") > tail.index("at")
    return tail[-1] in {"dot", "underscore"} or tail[-2:] in (["at", "gmail"], ["at", "hotmail"], ["at", "yahoo"])


def _announces(words: list[str]) -> bool:
    """ "my number is", "the address is", "my name is", "it's spelled"."""
    if words[-1] in {"is", "are", "it's"} and len(words) >= 2:
        nouns = en.NUMBER_NOUNS | {"name", "address", "email", "birthday", "birth", "mail"}
        return any(word in nouns for word in words[-5:-1])
    return words[-1] in en.SPELLING_CUES


def _is_spelling(words: list[str]) -> bool:
    """Letters one by one, or "b as in bravo"."""
    if words[-1] in en.SPELLING_CUES or words[-2:] == ["as", "in"] or words[-3:-1] == ["as", "in"]:
        return True
    letters = 0
    for word in reversed(words):
        if len(word) == 1 and word.isalpha():
            letters += 1
        elif word not in {"double", "dash", "hyphen"}:
            break
    return letters >= 2


def _is_half_an_address(words: list[str]) -> bool:
    """An address was announced, its number is there, and no street yet."""
    is_address = "address" in words or ("live" in words and "at" in words)
    has_number = any(read_out([word]).digits for word in words)
    return is_address and has_number and en.STREET_ENDS.isdisjoint(words)


def _sentence(words: list[str], number: ReadOut) -> Kind:
    """An ordinary sentence, or the beginning of one."""
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if number.digits and len(words) <= 2:
        return "short-answer"
    is_question = words[0] in en.QUESTION_WORDS or words[0] in en.INVERSIONS
    if _is_trailing(words, last, before, is_question):
        return "trailing"
    wants_more = last in en.LINKING or (last in en.TRANSITIVES and before not in en.ARTICLES)
    if is_question and len(words) >= 4:
        return "unfinished" if wants_more else "question"
    if len(words) > 1 and (last in en.FINAL_WORDS or f"{before} {last}" in en.SHORT_ANSWERS):
        return "clause"
    if wants_more:
        return "unfinished"
    return _by_verb(words)


def _is_trailing(words: list[str], last: str, before: str, is_question: bool) -> bool:
    """The last word wants another one."""
    if last in en.STRANDABLE and len(words) >= 3 and (is_question or _may_strand(words)):
        return False
    if last in {"this", "these", "those", "that"} and len(words) >= 3:
        return before in en.CONJUNCTIONS or (before in en.AUXILIARIES and not is_question)
    if last in en.AUXILIARIES:
        return not (len(words) >= 3 and before in en.SUBJECTS | {"you", "it", "that"} and is_question)
    return last in en.ARTICLES or last in en.CONJUNCTIONS or last in en.PREPOSITIONS or last in en.SUBJECTS


def _may_strand(words: list[str]) -> bool:
    """ "that's what i'm looking for", "turn it on", "i'd love to"."""
    if words[-1] == "to":
        return words[-2] in {"like", "love", "want", "have", "going", "supposed"} and words[0] in en.SHORT_ANSWERS
    return "what" in words[-5:-2] or (words[-2] in {"it", "them", "that", "me"} and words[-1] in {"on", "in", "over"})


def _by_verb(words: list[str]) -> Kind:
    """A clause has a verb and something after it; a name of something may be an answer, or the start of a clause."""
    verbs = [at for at, word in enumerate(words) if word in en.VERBS or (len(word) > 4 and word.endswith("ed"))]
    if not verbs:
        starts_clause = words[0] in en.ARTICLES or words[0] in en.SUBJECTS or words[0] in en.CONJUNCTIONS
        return "unfinished" if starts_clause and len(words) <= 3 else "fragment"
    return "clause" if len(words) - 1 - verbs[0] >= 1 else "unfinished"
