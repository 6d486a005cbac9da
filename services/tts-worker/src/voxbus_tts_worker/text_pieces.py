"""Cutting a long text where a speaker would breathe. Pure."""

import re
from typing import Final

_BREATHS: Final = (r"(?<=[.!?…])\s+", r"(?<=[,;:–—])\s+", r"\s+")
"""Ends of sentences, then of clauses, then of words."""


def pieces(text: str, limit: int) -> list[str]:
    """The text in pieces of at most `limit` characters; nothing but space is lost. A longer word is cut hard."""
    found: list[str] = []
    while text:
        end = _end(text, limit)
        if piece := text[:end].strip():
            found.append(piece)
        text = text[end:]
    return found


def _end(text: str, limit: int) -> int:
    if len(text) <= limit:
        return len(text)
    window = text[:limit]
    for breath in _BREATHS:
        ends = [match.end() for match in re.finditer(breath, window)]
        if ends and ends[-1] > limit // 4:  # a shorter one would sound chopped
            return ends[-1]
    return limit
