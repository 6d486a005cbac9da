"""Cuts a model's stream of text into pieces to speak: sentences, and parts of sentences that are too long.

Every decision depends on the text alone, never on how it was cut into deltas: where more text is needed to decide,
the splitter waits for it. Text is only cut at spaces, and after the full stops of scripts that write none.

An eager splitter makes one exception, for the sentence that the caller waits for: the first one ends with a delta that
ends in its full stop, though what follows is not known yet. Models give a stop that goes on (`.com`, `.5`, `."`) and
what it goes on with in one token, so a delta that ends in it ends a sentence. That saves the time of a token.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from voxbus_llm_orchestrator.speakable import speakable

_FLUSH = re.compile(r"<\s*flush\s*/?>|<\s*/\s*flush\s*>", re.IGNORECASE)
_BEGUN_FLUSH = re.compile(r"<\s*(?:/\s*)?(?:f(?:l(?:u(?:s(?:h\s*/?)?)?)?)?)?\Z", re.IGNORECASE)
_MARK_BEGINS = re.compile(r"[.!?…。！？,;:—–\n]")
_MARK = re.compile(r"(?:(?P<stop>[.!?…]+)|(?P<wide>[。！？]+)|(?P<clause>[,;:—–]+))[\"'”’»)\]*_`]*|(?P<line>\n)")
_ANY_MARK_BEGINS = re.compile(r"[.!?…。！？，,;:—–)،۔।॥|\n]")
_ANY_MARK = re.compile(
    r"(?:(?P<stop>[.!?…]+)|(?P<wide>[。！？，]+)|(?P<clause>[,;:—–)،۔।॥|]+))[\"'”’»)\]*_`]*|(?P<line>\n)"
)
"""With the marks that only end a piece where an assistant names them."""

_SURE_STOP = re.compile(r"[^\W\d_]{2,}(?P<mark>[.!?])\Z")
"""What a delta ends in when an eager splitter need not wait: no number, no name of a server or file."""

_LEFT_BEHIND = re.compile(r"[.!?…\"'”’»)\]*_`]+")
"""Marks that come after a sentence was given out belong to it and are not spoken."""

_CLOSING_QUOTES = ('"', "'", "”", "’", "»")
"""'"Really?" she asked.' is one sentence."""
_SPACE = re.compile(r"\s")
_INK = re.compile(r"\S")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘*_]*\Z")
_LIST_NUMBER = re.compile(r"(?:\A|\n)[\s*_#>-]*\d{1,3}\Z")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]|[A-HJ-Z]")
"""e.g, U.S, p.m, and the J of J. Smith; never the word I."""

_ABBREVIATION = re.compile(
    "dr|mr|mrs|ms|mx|prof|st|sr|jr|rev|hon|gen|col|capt|lt|sgt|gov|sen|rep|pres|messrs|vs|etc|approx|dept|est|ext|apt"
    "|ave|blvd|inc|ltd|co|corp|bros|al|cf|resp|incl|excl|max|min|tel|ph[.]d",
    re.IGNORECASE,
)
_BEFORE_NUMBER = re.compile(
    "no|nos|nr|p|pp|fig|figs|vol|art|sec|ch|eq|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec", re.IGNORECASE
)
"""Abbreviations only before a number; else they are words: 'No. I did not.'"""


class _Verdict(Enum):
    SENTENCE = auto()
    CLAUSE = auto()
    PAUSE = auto()  # a place for what is too long, and for nothing else
    NOTHING = auto()
    WAIT = auto()


def without_flush(text: str) -> tuple[str, str]:
    """The text without its `<flush />`, and what at its end may be the beginning of one."""
    plain = _FLUSH.sub("", text)
    at = plain.rfind("<")
    begun = at if at >= 0 and _BEGUN_FLUSH.match(plain, at) else len(plain)
    return plain[:begun], plain[begun:]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where an assistant wants pieces to end: at these marks, at none but sentences' ends where it names none."""

    marks: frozenset[str] = frozenset()

    def allow(self, mark: str, *, is_sentence: bool) -> bool:
        """A new line is as good as a full stop."""
        if not self.marks:
            return is_sentence
        return not self.marks.isdisjoint("." if mark == "\n" else mark)


class SentenceSplitter:
    """One reply's text in, pieces to speak out, in order.

    The first piece goes out at its sentence's end however short it is, or at a comma once it has `min_characters`;
    later ones are whole sentences of at least that. A sentence of more than `max_characters` is cut at its last
    comma, else space, before that. `<flush />` sends all there is; the next piece counts as first again.

    With `bounds` the first piece is no exception, and pieces end at the marks that they name.
    """

    def __init__(
        self,
        min_characters: int = 30,
        max_characters: int = 200,
        clean: Callable[[str], str] = speakable,
        *,
        is_eager: bool = False,
        bounds: Bounds | None = None,
    ) -> None:
        if not 1 <= min_characters <= max_characters:
            raise ValueError("min_characters: must be from 1 to max_characters")
        self._min_characters = min_characters
        self._max_characters = max_characters
        self._clean = clean
        self._bounds = bounds
        self._mark_begins = _ANY_MARK_BEGINS if bounds and bounds.marks else _MARK_BEGINS
        self._mark = _ANY_MARK if bounds and bounds.marks else _MARK
        self._text = ""
        self._is_first = True
        self._is_eager = is_eager
        self._was_eager = False

    def push(self, text: str) -> list[str]:
        """The pieces that are certain now."""
        if self._was_eager:
            self._was_eager = False
            text = _LEFT_BEHIND.sub("", text, count=1) if _LEFT_BEHIND.match(text) else text
        self._text += text
        pieces: list[str] = []
        start = 0
        while tag := _FLUSH.search(self._text, start):
            self._cut_all(self._text[start : tag.start()], pieces)
            start = tag.end()
        self._text = self._text[start:]
        known = self._text[: self._begun_flush()]
        used = self._cut(known, pieces, is_all=False)
        if self._is_eager and self._is_first and used < len(known) == len(self._text):
            used = self._cut_eagerly(known, used, pieces)
        self._text = self._text[used:]
        return pieces

    def flush(self) -> list[str]:
        """The pieces that were waiting for more; afterwards the splitter is as new."""
        pieces: list[str] = []
        self._cut_all(self._text, pieces)
        self._text = ""
        return pieces

    def _cut_eagerly(self, text: str, start: int, pieces: list[str]) -> int:
        """Gives the first sentence out if `text` surely ends in its end; returns up to where it is used up."""
        found = _SURE_STOP.search(text, start)
        if found is None:
            return start
        ended = text + " "
        verdict, _ = _judge(self._mark, ended, start, found.start("mark"), is_all=False)
        is_enough = self._is_enough(verdict, found["mark"], len(text[start:].strip()))
        if verdict is not _Verdict.SENTENCE or not is_enough:
            return start
        self._cut(text[start:], pieces, is_all=True)
        self._was_eager = not self._is_first
        return len(text)

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
        last_mark, position = start, start
        while found := self._mark_begins.search(text, position, limit):
            verdict, position = _judge(self._mark, text, start, found.start(), is_all=is_all)
            if verdict is _Verdict.WAIT:
                return None
            if self._is_enough(verdict, text[found.start() : position], position - start):
                return position
            if verdict is not _Verdict.NOTHING:
                last_mark = position
        if len(text) <= limit:
            return len(text) if is_all else None
        if last_mark - start >= self._min_characters:
            return last_mark
        return _space_near(text, start, limit, is_all=is_all)

    def _is_enough(self, verdict: _Verdict, mark: str, length: int) -> bool:
        if self._bounds is not None:
            is_end = verdict in (_Verdict.SENTENCE, _Verdict.CLAUSE) and length >= self._min_characters
            return is_end and self._bounds.allow(mark, is_sentence=verdict is _Verdict.SENTENCE)
        if verdict is _Verdict.SENTENCE:
            return self._is_first or length >= self._min_characters
        return verdict is _Verdict.CLAUSE and self._is_first and length >= self._min_characters


def _judge(marks: re.Pattern[str], text: str, start: int, at: int, *, is_all: bool) -> tuple[_Verdict, int]:
    """What the mark at `at` ends, and where the next piece may begin. `is_all`: nothing follows `text`."""
    mark = marks.match(text, at)
    assert mark is not None
    after = mark.end()
    if mark["line"]:
        return _Verdict.SENTENCE, after
    if after == len(text):
        return _Verdict.SENTENCE if is_all else _Verdict.WAIT, after
    if mark["wide"]:
        return _Verdict.SENTENCE, after
    if not text[after].isspace():
        return _Verdict.NOTHING, after
    if mark["clause"]:
        return _Verdict.CLAUSE, after
    ink = _INK.search(text, after)
    return _judge_stop(mark, text[start:at], ink[0] if ink else "", is_all=is_all), after


def _judge_stop(mark: re.Match[str], before: str, following: str, *, is_all: bool) -> _Verdict:
    """Whether a full stop, question or exclamation mark before a space ends a sentence.

    `following` is the next character that is no space, "" when it is not known yet. An ellipsis is a pause.
    """
    if mark["stop"] != "." and set(mark["stop"]) <= {".", "…"}:
        return _Verdict.PAUSE
    last = _LAST_WORD.search(before)
    word = last[0] if last and mark["stop"] == "." else ""
    if _ABBREVIATION.fullmatch(word) or _INITIALS.fullmatch(word) or (word and _LIST_NUMBER.search(before)):
        return _Verdict.NOTHING
    may_precede_number = _BEFORE_NUMBER.fullmatch(word) is not None
    may_be_quoted = mark[0].endswith(_CLOSING_QUOTES)
    if not may_precede_number and not may_be_quoted:
        return _Verdict.SENTENCE
    if not following and not is_all:
        return _Verdict.WAIT
    goes_on = (may_precede_number and following.isdecimal()) or (may_be_quoted and following.islower())
    return _Verdict.NOTHING if goes_on else _Verdict.SENTENCE


def _space_near(text: str, start: int, limit: int, *, is_all: bool) -> int | None:
    """The last space up to `limit`, else the first one after it; a word is never cut."""
    spaces = [space.start() for space in _SPACE.finditer(text, start, limit + 1)]
    if spaces:
        return spaces[-1]
    later = _SPACE.search(text, limit)
    if later:
        return later.start()
    return len(text) if is_all else None
