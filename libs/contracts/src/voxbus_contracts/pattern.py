"""A customer's regular expression: found or not, in time linear in the text, whatever the expression.

The engine is that of the validation library (Rust's `regex`): no look-around and no references back, which are what
makes expressions slow. Python's own `re` would let one expression stall every call of a worker.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

LONGEST: Final = 1_000
_FLAGS: Final = {"ignore-case": "i", "multi-line": "m"}
WHOLE_WORD: Final = "whole-word"


class BadPattern(ValueError):
    """The text says what is wrong with it."""


class Pattern:
    """A compiled expression. `options`: ignore-case, multi-line, whole-word."""

    __slots__ = ("_engine",)

    def __init__(self, regex: str, options: Iterable[str] = ()) -> None:
        """Raises BadPattern."""
        if len(regex) > LONGEST:
            raise BadPattern(f"is longer than {LONGEST} characters")
        plain = _engine(regex)
        chosen = frozenset(options)
        body = rf"\b(?:{regex})\b" if WHOLE_WORD in chosen else f"(?:{regex})"
        flags = "".join(flag for option, flag in _FLAGS.items() if option in chosen)
        self._engine = _engine(f"(?{flags}){body}" if flags else body) if chosen else plain

    def is_in(self, text: str) -> bool:
        """Does it match anywhere?"""
        return self._engine.isinstance_python(text)


@lru_cache(maxsize=1_024)
def _engine(regex: str) -> SchemaValidator:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=regex, regex_engine="rust-regex"))
    except SchemaError as wrong:
        raise BadPattern(f"is no regular expression that can be used here: {_reason(str(wrong))}") from None


def _reason(told: str) -> str:
    """The last line of what the engine tells, which does not quote the expression."""
    return told.strip().splitlines()[-1].strip().removeprefix("error: ").removeprefix("SchemaError: ")
