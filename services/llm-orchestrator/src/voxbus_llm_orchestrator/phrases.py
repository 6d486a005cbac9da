"""Words as they were recognized, and which of them say "go on" and which say "stop". Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.stopping import ACKNOWLEDGEMENT_PHRASES, INTERRUPTION_PHRASES

_WORD: Final = re.compile(r"\w+")
_APOSTROPHES: Final = str.maketrans("", "", "'’`")

HESITATIONS: Final = frozenset(
    ("ah", "eh", "er", "erm", "hm", "hmm", "huh", "mhm", "mm", "mmm", "oh", "uh", "uhh", "uhm", "um", "umm")
)
"""Sounds that are written like words and say nothing."""

Words = tuple[str, ...]


def words_of(text: str) -> Words:
    """`I'm with you - uh-huh` → im, with, you, uh, huh: recognizers differ in case, apostrophes and hyphens."""
    return tuple(_WORD.findall(text.casefold().translate(_APOSTROPHES)))


@dataclass(frozen=True, slots=True)
class Phrases:
    """`acknowledgements` written together (`uhhuh`): recognizers differ in where they cut; `interruptions` as words."""

    acknowledgements: frozenset[str] = frozenset()
    interruptions: frozenset[Words] = frozenset()

    def acknowledges(self, words: Words) -> bool:
        """Nothing but acknowledgements and hesitations, one at least."""
        return bool(words) and len(words) in self._acknowledged_upto(words)

    def may_acknowledge(self, words: Words) -> bool:
        """Could become an acknowledgement with what is still being said: `i` of `i see`."""
        rests = ("".join(words[at:]) for at in self._acknowledged_upto(words))
        return any(phrase.startswith(rest) for rest in rests for phrase in self.acknowledgements)

    def interrupts(self, words: Words) -> bool:
        """Holds a phrase that always interrupts."""
        return any(words[at : at + len(phrase)] == phrase for phrase in self.interruptions for at in range(len(words)))

    def counted(self, words: Words) -> int:
        """How many of the words say something: hesitations do not, and acknowledgements alone do not either."""
        return 0 if self.acknowledges(words) else sum(word not in HESITATIONS for word in words)

    def _acknowledged_upto(self, words: Words) -> set[int]:
        """Up to where the words are acknowledgements in a row; 0 is always one of the places."""
        reached = {0}
        for start in range(len(words)):
            if start not in reached:
                continue
            for stop in range(start + 1, len(words) + 1):
                written = "".join(words[start:stop])
                if written in self.acknowledgements or written in HESITATIONS:
                    reached.add(stop)
        return reached


def phrases_of(acknowledgements: Iterable[str], interruptions: Iterable[str]) -> Phrases:
    """The assistant's lists. What stands in both does what the list says that was not left at its default."""
    stops = tuple(interruptions)
    is_left_alone = stops == INTERRUPTION_PHRASES
    nods = frozenset("".join(words_of(phrase)) for phrase in acknowledgements)
    cuts = frozenset(words_of(phrase) for phrase in stops)
    if is_left_alone:
        return Phrases(nods, frozenset(phrase for phrase in cuts if "".join(phrase) not in nods))
    return Phrases(nods - {"".join(phrase) for phrase in cuts}, cuts)


DEFAULT_PHRASES: Final = phrases_of(ACKNOWLEDGEMENT_PHRASES, INTERRUPTION_PHRASES)
