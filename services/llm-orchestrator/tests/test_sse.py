"""Server-sent events cut anywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_llm_orchestrator.providers.sse import EventStream


def events(*chunks: str) -> list[str]:
    stream = EventStream()
    return [*(event for chunk in chunks for event in stream.push(chunk)), *stream.finish()]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_events_end_at_an_empty_line_whatever_ends_lines(line_end: str) -> None:
    stream = EventStream()
    assert stream.push(f"data: a{line_end}{line_end}data: b{line_end}") == ["a"]
    assert stream.push(f"{line_end}data: c") == ["b"]
    assert stream.finish() == ["c"]


def test_comments_and_other_fields_are_skipped() -> None:
    assert events(": ping\n\nevent: x\nid: 3\nretry: 5\ndata:a\ndatax: b\ndata\n\n: end\n\n") == ["a\n"]


def test_lines_of_one_event_are_joined_and_one_space_is_dropped() -> None:
    assert events("data: {\ndata:   1\n\n") == ["{\n  1"]


def test_separators_inside_json_texts_do_not_end_lines() -> None:
    assert events("data: a\u2028b\x0bc\x85d\n\n") == ["a\u2028b\x0bc\x85d"]


def test_what_waits_is_counted() -> None:
    stream = EventStream()
    stream.push("data: 12345\ndata: 67")
    assert stream.held_characters >= 7
    stream.push("\n\n")
    assert stream.held_characters == 0


TEXT = st.lists(st.sampled_from(["data: x", "data:", "\r", "\n", "\r\n", "\n\n", ": c", "é", "id: 1"]), max_size=30)


@settings(deadline=None)
@given(TEXT.map("".join))
def test_events_do_not_depend_on_chunks(text: str) -> None:
    assert events(*text) == events(text)
