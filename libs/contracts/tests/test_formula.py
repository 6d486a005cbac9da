import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.formula import BadFormula, Formula
from voxbus_contracts.speaking import DEFAULT_WAIT_FUNCTION

XT = ("x", "t")


@pytest.mark.parametrize(
    ("text", "x", "value"),
    [
        ("1 + 2 * 3", 0, 7),
        ("(1 + 2) * 3", 0, 9),
        ("2^3^2", 0, 512),
        ("-x^2", 3, -9),
        ("2^-1", 0, 0.5),
        ("8 - 4 - 2", 0, 2),
        ("8 / 4 / 2", 0, 1),
        ("1.5e2 + .5", 0, 150.5),
        ("max(1, x, 2) - min(3, 4)", 9, 6),
        ("abs(-x) + sqrt(16) + pow(2, 3) + log(e) + exp(0)", 1, 15),
        ("log(8, 2)", 0, 3),
        ("--+x", 2, 2),
        ("t * 10", 0, 20),
        (DEFAULT_WAIT_FUNCTION, 0, 20),
        (DEFAULT_WAIT_FUNCTION, 1, 3020),
        ("2000 / (1 + exp(-10 * (x - 0.5)))", 0.5, 1000),
        ("(20 + 500*sqrt(x) + 2500*x^3 + 700 + 4000*max(0,x-0.5))/2", 1, 2860),
    ],
)
def test_formulas_have_the_value_mathematics_gives_them(text: str, x: float, value: float) -> None:
    assert Formula.parse(text, XT).value(x=x, t=2) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("1 +", "ends where a value is due"),
        ("2 x", "has 'x' where it should end"),
        ("(1", "lacks a ')'"),
        ("y + 1", "knows no 'y': use t, x, pi, e"),
        ("__import__('os')", "knows no function '__import__'"),
        ("x.real", "has '.' where it should end"),
        ("sqrt(1, 2)", "gives sqrt 2 values"),
        ("max()", "has ')' where a value is due"),
        ("1 + 1" + " + 1" * 200, "is longer than 500 characters"),
        ("(" * 60 + "1" + ")" * 60, "levels inside each other"),
        ("x = 1", "has '=' where it should end"),
    ],
)
def test_what_is_no_formula_is_refused_with_a_reason(text: str, told: str) -> None:
    with pytest.raises(BadFormula) as refused:
        Formula.parse(text, XT)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"), [("1 / 0", math.inf), ("exp(1e9)", math.inf), ("10^400", math.inf), ("0^-1", math.inf)]
)
def test_what_grows_without_end_is_infinite_and_raises_nothing(text: str, value: float) -> None:
    assert Formula.parse(text, XT).value(x=0, t=0) == value


@pytest.mark.parametrize("text", ["sqrt(-1)", "log(-1)", "0 / 0", "(-8)^0.5"])
def test_what_has_no_value_is_not_a_number(text: str) -> None:
    assert math.isnan(Formula.parse(text, XT).value(x=0, t=0))


@given(st.text("0123456789.+-*/^(), xtsqrtmaxpowelog", max_size=60), st.floats(0, 1), st.floats(0, 1000))
def test_any_text_is_a_formula_with_a_value_everywhere_or_is_refused(text: str, x: float, t: float) -> None:
    try:
        formula = Formula.parse(text, XT)
    except BadFormula as refused:
        assert str(refused)
    else:
        assert isinstance(formula.value(x=x, t=t), float | int)
