"""Written text as a caller would say it: lower case, numbers as words, nothing but words. Pure; English."""

import re
from typing import Final

_BELOW_TWENTY: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TIMES_TEN: Final = "zero ten twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS: Final = tuple(_BELOW_TWENTY.split())
_TENS: Final = tuple(_TIMES_TEN.split())
DIGITS: Final = _UNITS[:10]
_WORDS_TOGETHER: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\s]+|(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)")
_TOKEN: Final = re.compile(r"[a-z]+(?:['-][a-z]+)*|\d+")
_LONGEST_NUMBER: Final = 99


def spoken(text: str) -> str:
    """`text` as words: `2xLarge_cup` → `two x large cup`; numbers above 99 digit by digit; may be empty."""
    parted = " ".join(_WORDS_TOGETHER.split(text.replace("’", "'"))).lower()
    words: list[str] = []
    for token in _TOKEN.findall(parted):
        words += number_words(token) if token.isdigit() else [token]
    return " ".join(words)


def number_words(digits: str) -> list[str]:
    """`42` → forty two; `305` → three zero five; a leading zero is said."""
    if (len(digits) > 1 and digits[0] == "0") or len(digits) > 2:
        return [_UNITS[int(digit)] for digit in digits]
    return small_number(int(digits))


def small_number(number: int) -> list[str]:
    """0 ≤ number ≤ 99 as words."""
    if not 0 <= number <= _LONGEST_NUMBER:
        raise ValueError(f"number {number} is not between 0 and {_LONGEST_NUMBER}")
    if number < len(_UNITS):
        return [_UNITS[number]]
    ten, unit = divmod(number, 10)
    return [_TENS[ten], _UNITS[unit]] if unit else [_TENS[ten]]
