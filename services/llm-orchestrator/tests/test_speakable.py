"""Text as it is read out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_llm_orchestrator.speakable import speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**Bold**, *it*, __both__, _this_, ~~old~~ and `code`.", "Bold, it, both, this, old and code."),
        ("# Heading\ntext", "Heading. text"),
        ("- one\n* two\n• three!\n> four", "one. two. three! four"),
        ("1. First\n2. Second", "1. First. 2. Second"),
        ("See [our page](https://a.example/b) and ![a cat](cat.png).", "See our page and a cat."),
        ("Dear [name], it is [1].", "Dear name, it is 1."),
        ('Wait <break time="1s"/>here</p>.', "Wait here ."),
        ("2*3 is 6, 3 * 4 is 12, 1 < 2, x > y", "2*3 is 6, 3 * 4 is 12, 1 < 2, x > y"),
        ("snake_case and a-b (so)", "snake_case and a-b (so)"),
        ("**Hello there.", "Hello there."),
        ("How are you?**", "How are you?"),
        ("  two   spaces\t ", "two spaces"),
        ("**", ""),
        ("---", ""),
        ("...", ""),
        ("```", ""),
        ("", ""),
        ("5 €", "5 €"),
        ("今日は。", "今日は。"),
    ],
)
def test_marks_for_the_eye_are_not_read_out(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1 .,!?\n*_#[]()<>`~-é今"), max_size=60))
def test_what_is_left_is_one_line_without_outer_spaces(text: str) -> None:
    spoken = speakable(text)
    assert "\n" not in spoken
    assert spoken == spoken.strip()
