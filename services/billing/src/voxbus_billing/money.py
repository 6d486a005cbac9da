"""Exact money. An amount is a whole number of pico-dollars (10⁻¹² US dollars); no float and no rounded sum exists.

Quantization, the only one there is: one charge (one use at one rate) is rounded once, half to even, to 10⁻¹² dollars.
Sums of charges are never rounded, so a total is the same in whatever order and portions its uses came.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

PLACES: Final = 12
PICOS_PER_DOLLAR: Final = 10**PLACES


def charge(rate: Decimal, units: int, per: int) -> int:
    """What `units` cost at `rate` dollars for `per` of them; pico-dollars."""
    return round(Fraction(rate) * units * PICOS_PER_DOLLAR / per)


def plain(picos: int) -> str:
    """50_000_000_000 → `0.05`: dollars, all decimals that are not 0, never an exponent."""
    dollars, rest = divmod(abs(picos), PICOS_PER_DOLLAR)
    fraction = f"{rest:0{PLACES}d}".rstrip("0")
    text = f"{dollars}.{fraction}" if fraction else str(dollars)
    return f"-{text}" if picos < 0 else text


def picos(dollars: str) -> int:
    """`0.05` → 50_000_000_000, the inverse of `plain`; raises ValueError for what is no whole number of picos."""
    exact = Fraction(dollars) * PICOS_PER_DOLLAR
    if exact.denominator != 1:
        raise ValueError(f"{dollars!r} has more than {PLACES} decimals")
    return exact.numerator
