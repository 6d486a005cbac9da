r"""What a regular expression lets a caller say: `(?:a|some) (?P<what>milk|sugar)s?` → its phrases. Pure.

Named groups and look-aheads are lists of alternatives of their own, for they are what somebody waits for. Where the
expression takes anything (`.*`, `\w+`, character classes) a phrase ends. What cannot be read is left out: the pattern
is only asked for words, never matched. Every step is bounded, whatever the expression.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_MOST: Final = 120
"""Phrases one part may have; a product that would be larger is cut."""
_DEEPEST: Final = 40
_GAP: Final = "\0"
"""Anything may stand here. With no blank beside it, it is a piece of a word, and the word is dropped."""
_WIDE_GAP: Final = f" {_GAP} "
_ZERO_WIDTH: Final = frozenset("bBAZ")
_CLASSES: Final = {"s": " ", "S": _GAP, "w": _GAP, "W": " ", "d": _GAP, "D": _GAP}
_BLANKS: Final = {"n": " ", "t": " ", "r": " "}


@dataclass(frozen=True, slots=True)
class PatternPhrases:
    """`groups`: lists of alternatives, the slots' own and what stands around them; `digits`: it waits for digits."""

    groups: tuple[tuple[str, ...], ...] = ()
    digits: bool = False


@dataclass(slots=True)
class _Reader:
    """Reads a pattern from left to right; what a caller may say at a part is a list of texts, gaps in them."""

    pattern: str
    at: int = 0
    depth: int = 0
    digits: bool = False
    groups: list[list[str]] = field(default_factory=list[list[str]])

    def alternatives(self) -> list[str]:
        """Up to the `)` or the end."""
        found = self.sequence()
        while self._next("|"):
            found = _cut([*found, *self.sequence()])
        return found

    def sequence(self) -> list[str]:
        found = [""]
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            found = _product(found, self._repeated(self.atom()))
        return found

    def atom(self) -> list[str]:
        mark = self.pattern[self.at]
        self.at += 1
        match mark:
            case "(":
                return self._group()
            case "[":
                return [self._class()]
            case "\\":
                return [self._escape()]
            case ".":
                return [_WIDE_GAP]
            case "^" | "$":
                return [""]
            case _:
                return [mark]

    def _group(self) -> list[str]:
        is_own, is_kept = self._kind()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise RecursionError
        found = self.alternatives()
        self.depth -= 1
        self._next(")")
        if not is_kept:
            return [""]
        if not is_own:
            return found
        self.groups.append(found)
        return [_WIDE_GAP]

    def _kind(self) -> tuple[bool, bool]:
        """Reads what follows `(`: (is it a list of its own, may the caller say it)."""
        if not self._next("?"):
            return False, True
        if self._next("P<"):
            self._skip_behind(">")
            return True, True
        for mark, kind in ((":", (False, True)), ("=", (True, True)), ("<=", (False, True)), ("!", (False, False))):
            if self._next(mark):
                return kind
        if self._next("<!") or self._next("#"):
            return False, False
        if self._next("<"):
            self._skip_behind(">")
            return True, True
        while self.at < len(self.pattern) and self.pattern[self.at] not in ":)":
            self.at += 1
        self._next(":")
        return False, True

    def _class(self) -> str:
        start = self.at
        self.at += 1
        while self.at < len(self.pattern) and self.pattern[self.at] != "]":
            self.at += 2 if self.pattern[self.at] == "\\" else 1
        body = self.pattern[start : self.at]
        self.at += 1
        self.digits |= "0-9" in body or "\\d" in body
        return " " if set(body) <= set(" -_,.\\s") else _GAP

    def _escape(self) -> str:
        if self.at >= len(self.pattern):
            return ""
        mark = self.pattern[self.at]
        self.at += 1
        self.digits |= mark == "d"
        if mark in _ZERO_WIDTH:
            return ""
        return _CLASSES.get(mark) or _BLANKS.get(mark) or (_GAP if mark.isalnum() else mark)

    def _repeated(self, once: list[str]) -> list[str]:
        maybe = once if once in ([_WIDE_GAP], [" "]) else _cut([*once, ""])
        if self._next("?") or self._next("*"):
            found = maybe
        elif self.pattern[self.at : self.at + 1] == "{":
            body, _, _ = self.pattern[self.at + 1 :].partition("}")
            self._skip_behind("}")
            found = maybe if body.startswith(("0", ",")) else once
        else:
            self._next("+")
            found = once
        if not self._next("?"):
            self._next("+")
        return found

    def _next(self, mark: str) -> bool:
        if not self.pattern.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def _skip_behind(self, mark: str) -> None:
        end = self.pattern.find(mark, self.at)
        self.at = len(self.pattern) if end < 0 else end + 1


def phrases_of(pattern: str) -> PatternPhrases:
    """What callers may say according to it; nothing when it is too deep to read."""
    reader = _Reader(pattern)
    try:
        whole = reader.alternatives()
    except RecursionError:
        return PatternPhrases()
    found = [_phrases(group) for group in (*reader.groups, whole)]
    return PatternPhrases(tuple(group for group in found if group), reader.digits)


def _phrases(texts: Iterable[str]) -> tuple[str, ...]:
    """Texts cut at their gaps, each phrase once."""
    found: dict[str, None] = {}
    for text in texts:
        words: list[str] = []
        for word in [*text.split(), _GAP]:
            if _GAP in word:
                found[" ".join(words)] = None
                words = []
            else:
                words.append(word)
    found.pop("", None)
    return tuple(found)


def _product(left: list[str], right: list[str]) -> list[str]:
    if len(right) == 1:
        return [each + right[0] for each in left]
    room = max(1, _MOST // len(right))
    return [before + after for before in left[:room] for after in right]


def _cut(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))[:_MOST]
