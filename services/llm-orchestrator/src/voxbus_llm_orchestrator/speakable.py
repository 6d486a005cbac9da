"""Text as it should be read out: without the marks that models write for the eye."""

import re
from typing import Final

_RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"</?[A-Za-z][^<>]*>", " "),  # tags
        (r"!?\[([^\[\]]*)\]\([^()\s]*\)", r"\1"),  # links and images keep their words
        (r"^[ \t]*(?:[-*_][ \t]*){3,}$", ""),  # rules across the page
        (r"^[ \t]*(?:>[ \t]?)+", ""),  # quotations
        (r"^[ \t]*#{1,6}[ \t]+", ""),  # headings
        (r"^[ \t]*[-*+•][ \t]+", ""),  # bullets
        (r"`+|~~", ""),
        (r"\*{2,}|__+(?=[^\W_])|(?<=[^\s_])__+", ""),
        (r"(?<![^\W_])[*_](?=\S)|(?<=\S)[*_](?![^\W_])", ""),  # 2*3, 3 * 4 and snake_case stay
        (r"[\[\]]", ""),
        (r"(?<=[^\W_])[ \t]*\n\s*", ". "),  # a line that ends without a mark ends a sentence
        (r"\s+", " "),
    )
)
_ANYTHING_TO_SAY = re.compile(r"[^\W_]|[$€£¥%&+=@°]")


def speakable(text: str) -> str:
    """`text` on one line, without Markdown and tags; "" when only marks are left. No word is lost but those of tags
    and of links' addresses. Does the same for a sentence cut out of emphasis as for the whole.
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip() if _ANYTHING_TO_SAY.search(text) else ""
