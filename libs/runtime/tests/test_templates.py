"""Templates of customers: what they know, and what they cannot do."""

import time

import pytest

from voxbus_contracts.config import CallConfig
from voxbus_runtime.templates import filled, rendered, variables_of

AT_MS = 1_700_000_000_000
"""Tuesday, 14 November 2023, 22:13:20 UTC"""

CONFIG = CallConfig(
    org="o",
    call="c-1",
    created_at_ms=AT_MS,
    variables={"name": "Ada", "customer": {"number": "+4912"}, "items": [1, 2]},
)


def of_call(text: str) -> str:
    return rendered(text, variables_of(CONFIG), AT_MS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello {{name}}!", "Hello Ada!"),
        ("{{ customer.number }} {{call.id}} {{call.type}}", "+4912 c-1 vapi.websocketCall"),
        ("{{now}}|{{date}}|{{time}}", "Nov 14, 2023 10:13 PM|Nov 14, 2023|10:13 PM"),
        ("{{month}} {{day}} {{year}}", "November 14 2023"),
        ("{{transport.conversationType}}", "voice"),
        ('{{"now" | date: "%A, %B %d, %Y %H:%M", "America/New_York"}}', "Tuesday, November 14, 2023 17:13"),
        ('{{ now | date: "%Y-%m-%d %H:%M" }}', "2023-11-14 22:13"),
        ('{{ "2024-05-01T10:00:00Z" | date: "%H:%M", "Europe/Berlin" }}', "12:00"),
        ('{{ "someday" | date: "%H" }}', "someday"),
        ('{{ "now" | date: "%H", "No/Where" }}', "22"),
        ("{% if name == 'Ada' %}hi{% else %}who{% endif %}", "hi"),
        ("{% for item in items %}{{item}};{% endfor %}", "1;2;"),
        ("{{ name | upcase }}{{ missing }}{{ missing.deeper }}", "ADA"),
        ("{{ missing | default: 'friend' }}", "friend"),
        ("no template { here }", "no template { here }"),
    ],
)
def test_a_template_is_filled_in(text: str, expected: str) -> None:
    assert of_call(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Hi {{ name",
        "Hi {{ name | nofilter }}",
        "Hi {% include 'passwd' %}",
        "Hi {% render '/etc/passwd' %}",
        "Hi {{ name.__class__.__mro__ }}",
        "Hi {% if %}",
        "Hi {{ 5 | divided_by: 0 }}",
    ],
)
def test_what_cannot_be_rendered_is_not_read_out(text: str) -> None:
    assert of_call(text).strip() in {"Hi", "Hi {{ name"}


def test_a_value_is_never_read_as_a_template() -> None:
    assert rendered("{{a}}", {"a": "{{b}}", "b": "secret"}, AT_MS) == "{{b}}"


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in (1..100000000) %}x{% endfor %}",
        "{% for a in (1..900) %}{% for b in (1..900) %}{% for c in (1..900) %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% assign s = 'xxxxxxxxxx' %}" + "{% assign s = s | append: s %}" * 40 + "{{ s }}",
    ],
)
def test_a_template_that_would_never_end_is_stopped(text: str) -> None:
    began_s = time.monotonic()
    assert len(of_call(text)) <= 200_000
    assert time.monotonic() - began_s < 2


def test_a_json_value_is_filled_in_everywhere() -> None:
    assert filled({"a": ["{{n}}", 1], "b": {"c": "{{n}}"}}, {"n": "x"}, AT_MS) == {"a": ["x", 1], "b": {"c": "x"}}
