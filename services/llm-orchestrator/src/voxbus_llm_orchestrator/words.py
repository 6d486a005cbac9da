"""What of a text counts when two are compared. Pure."""

import re
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")


def words_of(text: str) -> str:
    """Its words, one blank apart; not their case, nor apostrophes, nor punctuation."""
    return " ".join(_WORD.findall(text.casefold().replace("'", "").replace("\u2019", "")))
