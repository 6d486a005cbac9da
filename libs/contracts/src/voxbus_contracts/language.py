"""Languages by their tags (BCP 47: `es`, `pt-BR`). Pure."""

import re
from typing import Final

LANGUAGE_TAG: Final = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}$"

_NONE_IN_PARTICULAR: Final = frozenset({"mul", "und", "zxx", "mis"})
"""ISO 639: several, unknown, none at all, one without a code."""


def language_tag(text: object) -> str | None:
    """`PT-br` → `pt-BR`; None where it names no single language, as `multi`, `und` or `English`."""
    if not isinstance(text, str) or not re.match(LANGUAGE_TAG, text):
        return None
    language, *rest = text.split("-")
    if language.lower() in _NONE_IN_PARTICULAR:
        return None
    return "-".join((language.lower(), *(part.upper() if len(part) == 2 else part for part in rest)))


def is_same_language(one: str, other: str) -> bool:
    """`en-US` and `en-GB` are one language, spoken in two places."""
    return one.partition("-")[0].lower() == other.partition("-")[0].lower()
