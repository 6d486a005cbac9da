import time

import pytest

from voxbus_contracts.pattern import BadPattern, Pattern


@pytest.mark.parametrize(
    ("regex", "options", "text", "found"),
    [
        ("phone number", (), "what is your phone number?", True),
        ("Phone", (), "what is your phone number?", False),
        ("Phone", ("ignore-case",), "what is your phone number?", True),
        ("no", (), "nobody", True),
        ("no", ("whole-word",), "nobody", False),
        ("no|yes", ("whole-word",), "oh yes", True),
        ("^second$", (), "first\nsecond", False),
        ("^second$", ("multi-line",), "first\nsecond", True),
        (r"(\d{3})[- ]?\d{4}$", (), "it is 555 1234", True),
        ("ünf", ("ignore-case",), "FÜNF", True),
    ],
)
def test_a_pattern_is_found_anywhere_as_its_options_say(
    regex: str, options: tuple[str, ...], text: str, found: bool
) -> None:
    assert Pattern(regex, options).is_in(text) is found


@pytest.mark.parametrize("regex", ["(", "a)(b", r"(?=x)", r"(a)\1", "x{1000}{1000}", "[", "a" * 1_001])
def test_what_cannot_be_matched_in_linear_time_is_refused(regex: str) -> None:
    with pytest.raises(BadPattern) as refused:
        Pattern(regex)
    assert str(refused.value)


def test_an_expression_that_stalls_other_engines_is_answered_at_once() -> None:
    evil = Pattern(r"^(([a-z])+.)+[A-Z]([a-z])+$")
    begun = time.process_time()
    assert not evil.is_in("a" * 20_000)
    assert time.process_time() - begun < 1
