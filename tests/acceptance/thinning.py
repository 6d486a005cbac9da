"""Hooks of the fuzzer: of an operation's cases the first hundred are asked, then fewer and fewer, to the last.

Limits of bodies with very many fields make ten thousand cases and more, which are alike. Of every doubling of their
number some fifty are kept, so that each field gets its turn: the same ones in every run.
"""

from collections import Counter
from typing import Any

import schemathesis

ALL_OF_THE_FIRST = 100
SEEN: Counter[str] = Counter()


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Is this one asked? Counted per method, path and phase."""
    label = f"{case.method} {case.operation.path}"
    SEEN[label] += 1
    return is_kept(SEEN[label])


def is_kept(number: int) -> bool:
    """Of the first hundred every one, up to two hundred every second, up to four hundred every fourth …"""
    apart = 1
    while number > ALL_OF_THE_FIRST * apart:
        apart *= 2
    return number % apart == 0
