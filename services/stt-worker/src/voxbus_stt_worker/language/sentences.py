"""What callers of an assistant may say, made up from its terms: the text the language model learns from. Pure.

The same terms give the same sentences, in every worker and after every restart.
"""

import random
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from voxbus_providers.spoken import DIGITS, small_number
from voxbus_providers.terms import Expected, RecognitionTerms

MADE: Final = 2_000
"""Sentences; more did not change the model's figures."""
_PHRASES: Final = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text())
_OPENERS: Final[list[str]] = _PHRASES["openers"]
_LINKS: Final[list[str]] = _PHRASES["links"]
_NODS: Final[list[str]] = _PHRASES["nods"]
_REMARKS: Final[list[str]] = _PHRASES["remarks"]
_MONTHS: Final[list[str]] = _PHRASES["months"]
_WEEKDAYS: Final[list[str]] = _PHRASES["weekdays"]
_ORDINALS: Final[list[str]] = _PHRASES["ordinals"]
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_OF_ANSWERS: Final = 0.25
_OF_REMARKS: Final = 0.1
_OF_NODS: Final = 0.05
_OF_PAUSES: Final = 0.4


def sentences(terms: RecognitionTerms, count: int = MADE) -> Iterator[list[str]]:
    """Sentences as words. `terms` must have a domain."""
    chance = random.Random(1)
    answers: list[Expected] = [expected for expected in terms.expected if expected != "yes-no"]
    for _ in range(count):
        drawn = chance.random()
        if drawn < _OF_NODS:
            text = chance.choice(_NODS)
        elif drawn < _OF_NODS + _OF_REMARKS:
            text = chance.choice(_REMARKS)
        elif answers and drawn < _OF_NODS + _OF_REMARKS + _OF_ANSWERS:
            text = _answer(chance.choice(answers), chance)
        else:
            text = _request(terms.groups, chance)
        yield from _pieces(text.split(), chance)


def _pieces(words: list[str], chance: random.Random) -> Iterator[list[str]]:
    """A sentence, or the two it becomes when its speaker pauses in the middle: each piece is recognized by itself."""
    if len(words) < 2 or chance.random() >= _OF_PAUSES:
        yield words
        return
    cut = chance.randrange(1, len(words))
    yield words[:cut]
    yield words[cut:]


def _request(groups: Sequence[Sequence[str]], chance: random.Random) -> str:
    """One to five of the terms, linked as people link them."""
    words = [chance.choice(_OPENERS), "a" if chance.random() < 0.4 else ""]
    for number in range(chance.randint(1, 5)):
        words += [chance.choice(_LINKS) if number else "", chance.choice(chance.choice(groups))]
    words.append("please" if chance.random() < 0.2 else "")
    return " ".join(words)


def _answer(expected: Expected, chance: random.Random) -> str:
    match expected:
        case "digits":
            return " ".join(chance.choice((*DIGITS, *DIGITS, "oh")) for _ in range(chance.randint(2, 10)))
        case "numbers":
            hundreds = [chance.choice(DIGITS[1:]), "hundred"] if chance.random() < 0.2 else []
            return " ".join((*hundreds, *small_number(chance.randint(0, 99))))
        case "dates":
            return _date(chance)
        case "times":
            return _time(chance)
        case "spelling":
            return _spelling(chance)
        case "yes-no":
            return chance.choice(_REMARKS)


def _date(chance: random.Random) -> str:
    day = chance.choice((*_WEEKDAYS, "today", "tomorrow"))
    month, nth = chance.choice(_MONTHS), chance.choice(_ORDINALS)
    year = ["twenty", *small_number(chance.randint(10, 40))] if chance.random() < 0.3 else []
    forms = (day, f"next {day}", f"on {day}", f"{month} {nth}", f"the {nth} of {month}", f"{day} the {nth}")
    return " ".join((chance.choice(forms), *year))


def _time(chance: random.Random) -> str:
    hour = " ".join(small_number(chance.randint(1, 12)))
    minutes = chance.choice(("", "thirty", "fifteen", "forty five", "o'clock"))
    part = chance.choice(("", "a m", "p m", "in the morning", "in the afternoon", "in the evening"))
    form = chance.choice(("", "at", "around", "half past", "quarter to", "quarter past"))
    return f"{form} {hour} {minutes if len(form) < 8 else ''} {part}"


def _spelling(chance: random.Random) -> str:
    letters = [chance.choice(_LETTERS) for _ in range(chance.randint(3, 8))]
    tail = chance.choice(("", "at", "dot com", "at gmail dot com", "dash", "underscore"))
    return " ".join((*letters, tail))
