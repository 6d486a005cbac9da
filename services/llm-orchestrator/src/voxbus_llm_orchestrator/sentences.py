"""Cuts a model's stream of text into pieces to speak: sentences, and parts of sentences that are too long.

Every decision depends on the text alone, never on how it was cut into deltas: where more text is needed to decide,
the splitter waits for it. Text is only cut at spaces, and after the full stops of scripts that write none.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from voxbus_llm_orchestrator.speakable import speakable

_FLUSH = re.compile(r"<\s*flush\s*/?>|<\s*/\s*flush\s*>", re.IGNORECASE)
_BEGUN_FLUSH = re.compile(r"<\s*(?:/\s*)?(?:f(?:l(?:u(?:s(?:h\s*/?)?)?)?)?)?\Z", re.IGNORECASE)
_MARK = re.compile(r"(?:(?P<stop>[.!?…]+)|(?P<wide>[。！？]+)|(?P<clause>[,;:—–]+))[\"'”’»)\]*_`]*|(?P<line>\n)")
_SPACE = re.compile(r"\s")
_INK = re.compile(r"\S")
_LIST_NUMBER = re.compile(r"(?:\A|\n)[\s*_#>-]*\(?(?:\d{1,3}|[A-Za-z])\Z")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]|[A-HJ-Z]")
_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘*_]*\Z")

_ABBREVIATIONS: Final = frozenset(
    "dr mr mrs ms mx prof st sr jr rev hon gen col capt lt sgt gov sen rep pres messrs vs etc approx dept est ext apt "
    "ave blvd inc ltd co corp bros al cf resp incl excl max min tel ph.d".split()
)
_BEFORE_NUMBERS: Final = frozenset(
    "no nos nr p pp fig figs vol art sec ch eq jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
"""Abbreviations only before a number; else they are words: 'No. I did not.'"""


class _Verdict(Enum):
    SENTENCE = auto()
    CLAUSE = auto()
    NOTHING = auto()
    WAIT = auto()


class SentenceSplitter:
    """One reply's text in, pieces to speak out, in order.

    The first piece goes out at its sentence's end however short it is, or at a comma once it has `min_characters`;
    later ones are whole sentences of at least that. A sentence of more than `max_characters` is cut at its last
    comma, else space, before that. `<flush />` sends all there is; the next piece counts as first again.
    """

    def __init__(
        self, min_characters: int = 30, max_characters: int = 200, clean: Callable[[str], str] = speakable
    ) -> None:
        if not 1 <= min_characters <= max_characters:
            raise ValueError("min_characters: must be from 1 to max_characters")
        self._min_characters = min_characters
        self._max_characters = max_characters
        self._clean = clean
        self._text = ""
        self._is_first = True

    def push(self, text: str) -> list[str]:
        """The pieces that are certain now."""
        self._text += text
        pieces: list[str] = []
        start = 0
        while tag := _FLUSH.search(self._text, start):
            self._cut_all(self._text[start : tag.start()], pieces)
            start = tag.end()
        self._text = self._text[start:]
        known = self._text[: self._begun_flush()]
        used = self._cut(known, pieces, is_all=False)
        self._text = self._text[used:]
        return pieces

    def flush(self) -> list[str]:
        """The pieces that were waiting for more; afterwards the splitter is as new."""
        pieces: list[str] = []
        self._cut_all(self._text, pieces)
        self._text = ""
        return pieces

    def _begun_flush(self) -> int:
        """Where a `<flush />` that is still incomplete begins, else the end of the text."""
        at = self._text.rfind("<")
        return at if at >= 0 and _BEGUN_FLUSH.match(self._text, at) else len(self._text)

    def _cut_all(self, text: str, pieces: list[str]) -> None:
        self._cut(text, pieces, is_all=True)
        self._is_first = True

    def _cut(self, text: str, pieces: list[str], *, is_all: bool) -> int:
        """Appends the pieces of `text`; returns up to where it is used up."""
        start = 0
        while ink := _INK.search(text, start):
            start = ink.start()
            end = self._end_of_piece(text, start, is_all=is_all)
            if end is None:
                return start
            piece = self._clean(text[start:end].strip())
            start = end
            if piece:
                pieces.append(piece)
                self._is_first = False
        return len(text)

    def _end_of_piece(self, text: str, start: int, *, is_all: bool) -> int | None:
        """Where the piece that begins at `start` ends; None when more text must decide."""
        limit = start + self._max_characters
        last_mark = start
        for mark in _MARK.finditer(text, start, min(len(text), limit + 1) if False else len(text)):
            ...
        return None
