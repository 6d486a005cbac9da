"""A customer's formula, such as the wait function `20 + 500 * sqrt(x) + 2500 * x^3`. Pure; it can do nothing but sums.

The part of mathjs that such formulas use: numbers, `+ - * / ^`, parentheses, sqrt, exp, log, abs, pow, max, min, and
the constants pi and e. As there, `^` binds to the right and stronger than a sign before it: `-x^2` is `-(x^2)`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

LONGEST: Final = 500
DEEPEST: Final = 30
"""Characters of a formula, and levels of it inside each other."""

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>\S))"
)
_CONSTANTS: Final = {"pi": math.pi, "e": math.e}

Names = Mapping[str, float]
_Value = Callable[[Names], float]


class BadFormula(ValueError):
    """The text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Formula:
    """Made by `Formula.parse`; equal when the text is."""

    text: str
    _value: _Value = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, names: Sequence[str]) -> "Formula":
        """A formula over `names`. Raises BadFormula."""
        if len(text) > LONGEST:
            raise BadFormula(f"is longer than {LONGEST} characters")
        return cls(text, _Parser(text, names).whole())

    def value(self, **names: float) -> float:
        """Its value there; may be infinite, and is NaN where it has none (the root of a negative number)."""
        return self._value(names)


def _divided(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 else math.copysign(math.inf, left)
    return left / right


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def _exponential(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _logarithm(value: float, base: float = math.e) -> float:
    if value < 0 or base <= 0 or base == 1 or math.isnan(value):
        return math.nan
    return math.log(value) / math.log(base) if value else -math.inf


@dataclass(frozen=True, slots=True)
class _Function:
    compute: Callable[..., float]
    fewest: int
    most: int


_FUNCTIONS: Final = {
    "sqrt": _Function(_root, 1, 1),
    "exp": _Function(_exponential, 1, 1),
    "log": _Function(_logarithm, 1, 2),
    "abs": _Function(math.fabs, 1, 1),
    "pow": _Function(_power, 2, 2),
    "max": _Function(lambda *values: max(values), 1, 20),
    "min": _Function(lambda *values: min(values), 1, 20),
}

_SUMS: Final[dict[str, Callable[[float, float], float]]] = {"+": lambda a, b: a + b, "-": lambda a, b: a - b}
_PRODUCTS: Final[dict[str, Callable[[float, float], float]]] = {"*": lambda a, b: a * b, "/": _divided}


class _Parser:
    """Recursive descent: sum, product, sign, power, atom."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self._tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(text)]
        self._at = 0
        self._names = frozenset(names)
        self._depth = 0

    def whole(self) -> _Value:
        if not self._tokens:
            raise BadFormula("is empty")
        value = self._sum()
        if self._at < len(self._tokens):
            raise BadFormula(f"has {self._next!r} where it should end or go on with an operator")
        return value

    @property
    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, *marks: str) -> str:
        """The next token if it is one of `marks`, else nothing."""
        if self._next and self._next in marks:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return ""

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise BadFormula(f"has {self._next!r} where {mark!r} is due" if self._next else f"lacks a {mark!r}")

    def _sum(self) -> _Value:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadFormula(f"has more than {DEEPEST} levels inside each other")
        value = self._chain(_SUMS, self._product)
        self._depth -= 1
        return value

    def _product(self) -> _Value:
        return self._chain(_PRODUCTS, self._sign)

    def _chain(self, operators: Mapping[str, Callable[[float, float], float]], part: Callable[[], _Value]) -> _Value:
        """Parts joined by operators, from left to right."""
        value = part()
        while mark := self._take(*operators):
            value = _joined(operators[mark], value, part())
        return value

    def _sign(self) -> _Value:
        negative = False
        while mark := self._take("-", "+"):
            negative ^= mark == "-"
        value = self._powers()
        return (lambda names: -value(names)) if negative else value

    def _powers(self) -> _Value:
        parts = [self._atom()]
        while self._take("^"):
            negative = bool(self._take("-"))
            exponent = self._atom()
            parts.append((lambda names, inner=exponent: -inner(names)) if negative else exponent)
        value = parts.pop()
        while parts:
            value = _joined(_power, parts.pop(), value)
        return value

    def _atom(self) -> _Value:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        self._at += 1
        match kind:
            case "number":
                number = float(text)
                return lambda _names: number
            case "name":
                return self._named(text)
            case "mark" if text == "(":
                value = self._sum()
                self._expect(")")
                return value
            case _:
                raise BadFormula(f"has {text!r} where a value is due" if text else "ends where a value is due")

    def _named(self, name: str) -> _Value:
        if self._next == "(":
            return self._called(name)
        if name in self._names:
            return lambda names: names[name]
        if name in _CONSTANTS:
            constant = _CONSTANTS[name]
            return lambda _names: constant
        raise BadFormula(f"knows no {name!r}: use {', '.join([*sorted(self._names), *_CONSTANTS])}")

    def _called(self, name: str) -> _Value:
        function = _FUNCTIONS.get(name)
        if function is None:
            raise BadFormula(f"knows no function {name!r}: use {', '.join(_FUNCTIONS)}")
        self._expect("(")
        arguments = [self._sum()]
        while self._take(","):
            arguments.append(self._sum())
        self._expect(")")
        if not function.fewest <= len(arguments) <= function.most:
            raise BadFormula(f"gives {name} {len(arguments)} values")
        return lambda names: function.compute(*[argument(names) for argument in arguments])


def _joined(operator: Callable[[float, float], float], left: _Value, right: _Value) -> _Value:
    return lambda names: operator(left(names), right(names))
