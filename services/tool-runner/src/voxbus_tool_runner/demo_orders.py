"""The demo shop's orders, and how a spoken order number is read. Pure."""

import re
from typing import Final

ORDERS: Final = {
    "4711": "is packed and ships on Friday",
    "1234": "was delivered yesterday at noon",
    "2020": "is on its way and arrives tomorrow",
    "555": "waits for your payment",
    "1000": "was cancelled last week",
}

_NUMBERS: Final = {
    "oh": "0",
    "o": "0",
    "won": "1",
    "to": "2",
    "too": "2",
    "tree": "3",
    "for": "4",
    "fore": "4",
    "ate": "8",
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
    "thirteen": "13",
    "fourteen": "14",
    "fifteen": "15",
    "sixteen": "16",
    "seventeen": "17",
    "eighteen": "18",
    "nineteen": "19",
    "twenty": "20",
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
}
"""Number words, and what recognizers write instead of them."""


_TENS: Final = frozenset(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
_ONES: Final = frozenset(word for word, number in _NUMBERS.items() if number in set("123456789"))


def digits_of(spoken: str) -> str:
    """`"forty seven eleven"` → `"4711"`, `"47 11"` → `"4711"`; words that are no numbers are left out."""
    digits = ""
    previous = ""
    for word in re.findall(r"\d+|[a-z]+", spoken.lower()):
        number = _NUMBERS.get(word, word if word.isdigit() else "")
        if previous in _TENS and word in _ONES:
            digits = digits[:-1]  # forty + seven: the seven stands where the zero was
        digits += number
        previous = word
    return digits


def status_of(order: str) -> str:
    """What to tell the caller about an order, digits spoken one by one."""
    number = digits_of(order)
    if not number:
        return "I did not get an order number."
    said = " ".join(number)
    if number in ORDERS:
        return f"Order {said} {ORDERS[number]}."
    return f"I cannot find order {said}. Try order {' '.join(next(iter(ORDERS)))}."
