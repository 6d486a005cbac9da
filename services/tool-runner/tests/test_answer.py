import json
from typing import Any

import pytest

from voxbus_tool_runner.answer import LONGEST_RESULT, Answer, read_answer
from voxbus_tool_runner.errors import BadAnswer


def answer(body: Any, status: int = 200) -> Answer:
    return read_answer(status, json.dumps(body).encode(), "call_1")


def test_the_result_of_this_call_is_taken_from_among_others() -> None:
    body = {"results": [{"toolCallId": "call_0", "result": "no"}, {"toolCallId": "call_1", "result": "yes"}]}
    assert answer(body) == Answer(result="yes")


@pytest.mark.parametrize("body", [{"result": "yes"}, {"results": [{"result": "yes"}]}])
def test_older_and_sloppier_shapes_are_understood(body: Any) -> None:
    assert answer(body) == Answer(result="yes")


def test_an_error_of_the_server_is_told_as_such() -> None:
    assert answer({"results": [{"toolCallId": "call_1", "error": "no such order"}]}) == Answer(error="no such order")


def test_values_that_are_no_text_become_one_line_of_json() -> None:
    assert answer({"result": {"ships": "Friday", "ort": "Köln"}}) == Answer(result='{"ships": "Friday", "ort": "Köln"}')
    assert answer({"result": "two\nlines\t here "}) == Answer(result="two lines here")
    assert answer({"result": 0}) == Answer(result="0")
    assert answer({"result": False}) == Answer(result="false")


def test_a_result_too_long_for_the_bus_is_shortened_and_says_so() -> None:
    result = answer({"result": "x" * 900_000}).result
    assert result is not None
    assert len(result) < LONGEST_RESULT + 20
    assert result.endswith("(shortened)")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, b'{"result": "x"}', "status 500"),
        (201, b'{"result": "x"}', "status 201"),
        (200, b"<html>", "JSON"),
        (200, b'\xff\xfe{"result"', "JSON"),
        (200, b"[]", "object"),
        (200, b"{}", "no result"),
        (200, b'{"result": null}', "no result"),
        (200, b'{"results": []}', "no result for this call"),
        (200, b'{"results": "yes"}', "no result for this call"),
        (200, b'{"results": [{"toolCallId": "other", "result": "x"}]}', "no result for this call"),
    ],
)
def test_answers_that_are_none_are_refused_with_a_reason_the_model_can_use(status: int, body: bytes, told: str) -> None:
    with pytest.raises(BadAnswer, match=told):
        read_answer(status, body, "call_1")
