"""Digits as they are read out: how many a text ends with, and whether it is a number being read at all. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from voxbus_llm_orchestrator.english import NUMBER_LENGTHS, NUMBER_NOUNS

UNITS: Final = {
    "zero": "0",
    "oh": "0",
    "o": "0",
    "nought": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}
_SOUND_ALIKE: Final = {"to": "2", "too": "2", "for": "4", "fore": "4", "ate": "8", "won": "1"}
"""What recognizers write for digits; only counted after digits."""

_TEENS: Final = frozenset(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: SIM905
)
_TENS: Final = frozenset("twenty thirty forty fifty sixty seventy eighty ninety".split())  # noqa: SIM905
_ZEROS: Final = {"hundred": 2, "thousand": 3}
_REPEATS: Final = {"double": 2, "triple": 3, "treble": 3}
_JOINTS: Final = frozenset({"dash", "hyphen", "plus", "space", "area", "code"})
_FIGURES: Final = re.compile(r"[\d\-+().#/]*\d[\d\-+().#/]*")
_ANNOUNCED_WITHIN: Final = 5
PHONE_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class ReadOut:
    """The digits a text ends with.

    `digits` = how many; `singles` = words of the run that are single digits; `first` = the first digit, "" = unknown;
    `is_announced` = a word before the run says that a number comes; `length` = digits expected; `is_repeating` = the
    last word is "double" or the like, so that a digit must follow.
    """

    digits: int = 0
    singles: int = 0
    first: str = ""
    is_announced: bool = False
    length: int = PHONE_DIGITS
    is_repeating: bool = False

    @property
    def is_reading(self) -> bool:
        """A number is being read, not an amount, a time or a date said."""
        return self.is_repeating or self.singles >= 2 or self.digits >= 5 or (self.is_announced and self.digits > 0)

    @property
    def is_complete(self) -> bool:
        """As many digits as such a number has. A phone number that begins with 0 or 1 has one more."""
        needed = self.length
        if needed == PHONE_DIGITS and self.first in {"0", "1"}:
            needed += 1
        return self.digits >= needed and not self.is_repeating


def read_out(words: list[str], asked: list[str] | None = None) -> ReadOut:
    """`words` in lower case; figures may be words, too ("555-0199"). `asked` = the words of the question before it."""
    start = _run_start(words)
    run = words[start:]
    before = [*(asked or ()), *words[max(0, start - _ANNOUNCED_WITHIN) : start]]
    announced_by = [word for word in before if word in NUMBER_NOUNS]
    digits, singles, first = _counted(run)
    return ReadOut(
        digits=digits,
        singles=singles,
        first=first,
        is_announced=bool(announced_by),
        length=next((NUMBER_LENGTHS[word] for word in announced_by if word in NUMBER_LENGTHS), PHONE_DIGITS),
        is_repeating=bool(run) and run[-1] in _REPEATS and (len(run) > 1 or bool(announced_by)),
    )


def is_number(word: str) -> bool:
    """Digits, or a word for a number."""
    return word in UNITS or word in _TEENS or word in _TENS or word in _ZEROS or bool(_FIGURES.fullmatch(word))


def _run_start(words: list[str]) -> int:
    """Where the digits at the end begin; a word that sounds like a digit counts after digits, the last after two."""
    start = len(words)
    for at, word in enumerate(words):
        if is_number(word) or word in _REPEATS:
            start = min(start, at)
        elif word not in _JOINTS and word not in _SOUND_ALIKE:
            start = len(words)
    is_doubtful = bool(words) and words[-1] in _SOUND_ALIKE and len(words) - start < 3
    return len(words) if is_doubtful else start


def _counted(run: list[str]) -> tuple[int, int, str]:
    """Digits, words that are single digits, and the first digit."""
    digits = singles = 0
    first = ""
    for at, word in enumerate(run):
        if word in _JOINTS or word in _REPEATS:
            continue
        unit = UNITS.get(word) or _SOUND_ALIKE.get(word)
        if unit:
            times = _REPEATS.get(run[at - 1], 1) if at else 1
            digits += times
            singles += times
            first = first or unit
        elif word in _TEENS or word in _ZEROS:
            digits += _ZEROS.get(word, 2)
            first = first or "1"
        elif word in _TENS:
            digits += 1 if at + 1 < len(run) and run[at + 1] in UNITS else 2
            singles -= at + 1 < len(run) and run[at + 1] in UNITS
            first = first or "2"
        else:
            figures = [character for character in word if character.isdigit()]
            digits += len(figures)
            singles += len(figures) if len(figures) >= 3 or word.startswith(("0", "+")) else 0
            first = first or figures[0]
    return digits, max(0, singles), first
