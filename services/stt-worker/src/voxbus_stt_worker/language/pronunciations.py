"""How words sound: from a pronouncing dictionary, else by rules of spelling. Pure.

The rules (longest match first) give one plausible reading of names and brands the dictionary lacks; they know no
stress, as the acoustic model does not either. Phones are ARPABET without stress.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_RULES: Final = {
    "augh": "AO", "ough": "AO", "eigh": "EY", "igh": "AY", "tion": "SH AH N", "sion": "ZH AH N", "cious": "SH AH S",
    "tch": "CH", "sch": "SH", "dge": "JH", "eau": "OW", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W",
    "ck": "K", "ng": "NG", "qu": "K W", "kn": "N", "wr": "R", "gh": "G", "ee": "IY", "ea": "IY", "oo": "UW",
    "ou": "AW", "ow": "OW", "oi": "OY", "oy": "OY", "ai": "EY", "ay": "EY", "au": "AO", "aw": "AO", "ei": "EY",
    "ey": "IY", "ie": "IY", "oa": "OW", "ue": "UW", "ew": "UW", "ar": "AA R", "er": "ER", "ir": "ER", "or": "AO R",
    "ur": "ER", "ce": "S", "ci": "S IH", "cy": "S IY", "ge": "JH", "gi": "JH IH", "a": "AE", "b": "B", "c": "K",
    "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L", "m": "M", "n": "N",
    "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "Y",
    "z": "Z",
}  # fmt: skip
_LONGEST: Final = max(map(len, _RULES))
_LAST: Final = {"y": "IY", "o": "OW", "a": "AH", "i": "IY", "e": "", "es": "Z"}
_LONG_VOWELS: Final = {"a": "EY", "i": "AY", "o": "OW", "u": "UW", "e": "IY"}
_VOWELS: Final = frozenset("aeiouy")


class Pronunciations:
    """A dictionary in the form of CMUdict: `word phones`, further readings as `word(2) phones`, sorted by word."""

    def __init__(self, dictionary: bytes) -> None:
        self._lines = dictionary if dictionary.endswith(b"\n") else dictionary + b"\n"
        self._kept: dict[str, tuple[str, ...]] = {}

    def keep(self, words: Iterable[str]) -> None:
        """Looks up words that every model has, once for all."""
        self._kept |= {word: tuple(self.of(word)) for word in words}

    def known(self, word: str) -> list[str]:
        """Its readings in the dictionary."""
        wanted = word.encode()
        low, high = 0, len(self._lines)
        while low < high:
            start = self._lines.rfind(b"\n", 0, (low + high) // 2) + 1
            end = self._lines.find(b"\n", start)
            if _word_of(self._lines[start:end]) < wanted:
                low = end + 1
            else:
                high = start
        return list(self._from(low, wanted))

    def of(self, word: str) -> Sequence[str]:
        """Its readings, by the dictionary, by that of its parts, or by rule; at least one."""
        found = self._kept.get(word) or self.known(word)
        if found:
            return found
        parts = [part for part in word.replace("-", "'").split("'") if part]
        return [" ".join((self.known(part) or [spelled_out(part)])[0] for part in parts)]

    def lines(self, words: Iterable[str]) -> Iterator[str]:
        """The dictionary of these words alone."""
        for word in words:
            for number, phones in enumerate(self.of(word), 1):
                yield f"{word} {phones}\n" if number == 1 else f"{word}({number}) {phones}\n"

    def _from(self, at: int, wanted: bytes) -> Iterator[str]:
        while at < len(self._lines):
            end = self._lines.find(b"\n", at)
            line = self._lines[at:end]
            if _word_of(line) != wanted:
                return
            yield line.partition(b" ")[2].decode().strip()
            at = end + 1


def _word_of(line: bytes) -> bytes:
    word = line.partition(b" ")[0]
    return word[: word.rfind(b"(")] if word.endswith(b")") else word


def spelled_out(word: str) -> str:
    """A reading by the rules of spelling; `word` has letters only, at least one."""
    phones: list[str] = []
    at = 0
    while at < len(word):
        size, sound = _sound(word, at)
        phones += [phone for phone in sound.split() if phones[-1:] != [phone]]
        at += size
    return " ".join(phones) or "AH"


def _sound(word: str, at: int) -> tuple[int, str]:
    """How many letters from `at` on, and how they sound."""
    rest = word[at:]
    if at and rest in _LAST:
        return len(rest), _LAST[rest]
    if len(rest) == 3 and rest[2] == "e" and rest[0] in _LONG_VOWELS and rest[1] not in _VOWELS:
        return 1, _LONG_VOWELS[rest[0]]
    for size in range(min(_LONGEST, len(rest)), 1, -1):
        if rest[:size] in _RULES:
            return size, _RULES[rest[:size]]
    if rest[0] == "y" and at:
        return 1, "IH"
    return 1, _RULES.get(rest[0], "")
