"""When each word of a text sounds, from an engine's marks. Pure."""

import re
from collections.abc import Iterable
from itertools import pairwise

from voxbus_providers.voice import WordTime


def word_times(text: str, marks: Iterable[tuple[int, float]], duration_ms: int) -> tuple[WordTime, ...]:
    """One time for each of `text.split()`, in order, without overlap and none of no length.

    `marks` are (position in characters from 0, ms from the first sample). A word without one, such as a dash, shares
    the time of the word before it. Empty when the sound is too short for so many words.
    """
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    if not spans or duration_ms < len(spans):
        return ()
    starts = _spread(_first_marks(spans, marks), duration_ms)
    ends = [*starts[1:], duration_ms]
    return tuple(WordTime(text[begin:end], starts[at], ends[at]) for at, (begin, end) in enumerate(spans))


def _first_marks(spans: list[tuple[int, int]], marks: Iterable[tuple[int, float]]) -> list[float | None]:
    """The earliest mark inside each word. A mark behind a word, on the blank, counts for the word."""
    found: list[float | None] = [None] * len(spans)
    for position, at_ms in sorted(marks):
        word = max((at for at, (begin, _) in enumerate(spans) if begin <= position), default=0)
        known = found[word]
        found[word] = at_ms if known is None else min(known, at_ms)
    return found


def _spread(found: list[float | None], duration_ms: int) -> list[int]:
    """Starts for all words: strictly growing whole ms that leave at least 1 ms for each word."""
    known = [(at, ms) for at, ms in enumerate(found) if ms is not None]
    if not known or known[0][0] != 0:
        known.insert(0, (0, 0.0))
    known.append((len(found), float(duration_ms)))
    starts: list[float] = []
    for (at, from_ms), (next_at, upto_ms) in pairwise(known):
        step_ms = max(0.0, upto_ms - from_ms) / (next_at - at)
        starts += [from_ms + step_ms * offset for offset in range(next_at - at)]
    whole: list[int] = []
    for at, start_ms in enumerate(starts):
        lowest = whole[-1] + 1 if whole else 0
        highest = duration_ms - (len(starts) - at)
        whole.append(min(max(round(start_ms), lowest), highest))
    return whole
