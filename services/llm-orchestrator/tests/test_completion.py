"""Reading answers of OpenAI-compatible servers: bytes in, parts out."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_llm_orchestrator.providers.completion import CompletionReader, refusal
from voxbus_providers.errors import ProviderError, ProviderRejected, ProviderUnauthorized, ProviderUnavailable
from voxbus_providers.model import EndOfCall, ModelPart, ModelUsage, TextDelta, ToolCall
from voxbus_testing.openai_server import Answer, call_deltas, chunk, event, streamed, usage_chunk, whole


def read(*chunks: bytes, end_call_names: frozenset[str] = frozenset({"endCall"})) -> list[ModelPart]:
    reader = CompletionReader("test", end_call_names)
    return [*(part for one in chunks for part in reader.push(one)), *reader.finish()]


def body_of(answer: Answer) -> bytes:
    return b"".join(piece for piece in answer.pieces if isinstance(piece, bytes))


def deltas(*of: dict[str, Any], finish: str = "stop") -> bytes:
    return b"".join(event(chunk(delta)) for delta in of) + event(chunk({}, finish))


FULL = body_of(streamed("Héllo 👍 <flush />there.", call_deltas("f", {"a": "ü", "b": [1]}), line_end="\r\n"))


@settings(deadline=None)
@given(st.lists(st.integers(0, len(FULL)), max_size=20))
def test_parts_do_not_depend_on_where_the_bytes_are_cut(cuts: list[int]) -> None:
    places = sorted({*cuts, 0, len(FULL)})
    parts = read(*(FULL[a:b] for a, b in itertools.pairwise(places)))
    assert parts == [
        TextDelta("Héllo"),
        TextDelta(" 👍"),
        TextDelta(" <flush"),
        TextDelta(" />there."),
        ToolCall("call_1", "f", {"a": "ü", "b": [1]}),
        ModelUsage(11, 7),
    ]


def test_text_comes_out_as_it_comes_in() -> None:
    reader = CompletionReader("test")
    assert not reader.has_begun
    assert list(reader.push(event(chunk({"role": "assistant", "content": ""})))) == []
    assert not reader.has_begun
    assert list(reader.push(event(chunk({"content": "Hi"})))) == [TextDelta("Hi")]
    assert reader.has_begun


def test_after_done_nothing_is_read() -> None:
    reader = CompletionReader("test")
    assert list(reader.push(deltas({"content": "a"}) + event("[DONE]") + deltas({"content": "b"}))) == [TextDelta("a")]
    assert reader.is_done


def test_a_stream_without_done_and_without_its_last_empty_line_is_complete() -> None:
    assert read(deltas({"content": "a"}).rstrip()) == [TextDelta("a")]


def test_an_empty_answer_is_an_answer_and_no_answer_is_not() -> None:
    assert read(deltas()) == []
    for nothing in (b"", b": ping\n\n", b"<html>busy</html>", event("[DONE]")):
        with pytest.raises(ProviderUnavailable, match="without saying anything"):
            read(nothing)


@pytest.mark.parametrize("lead", [b"", b"\r\n ", b"\xef\xbb\xbf"])
def test_one_whole_json_answer_is_read_too(lead: bytes) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    body = lead + body_of(whole("Hello.", [call]))
    assert read(*(body[at : at + 7] for at in range(0, len(body), 7))) == [
        TextDelta("Hello."),
        ToolCall("c1", "f", {"a": 1}),
        ModelUsage(11, 7),
    ]


def test_content_in_parts_counts_its_texts() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    assert read(deltas({"content": content})) == [TextDelta("ab")]


def test_cached_tokens_are_told() -> None:
    assert read(deltas(), event(usage_chunk(100, 5, 64))) == [ModelUsage(100, 5, 64)]


def test_several_calls_keep_their_order_and_their_arguments() -> None:
    mixed = [
        *call_deltas("first", {"a": 1}, "c1", 0)[:2],
        *call_deltas("second", {"b": 2}, "c2", 1),
        *call_deltas("first", {"a": 1}, "c1", 0)[2:],
    ]
    assert read(deltas(*mixed)) == [ToolCall("c1", "first", {"a": 1}), ToolCall("c2", "second", {"b": 2})]


def test_calls_without_an_index_or_all_of_one_index_are_told_apart_by_their_ids() -> None:
    for index in ({}, {"index": 0}):
        of = [
            {"tool_calls": [{**index, "id": name, "function": {"name": name, "arguments": '{"x":'}}, more]}
            for name in ("a", "b")
            for more in [{**index, "function": {"arguments": " 1}"}}]
        ]
        assert read(deltas(*of)) == [ToolCall("a", "a", {"x": 1}), ToolCall("b", "b", {"x": 1})]


def test_arguments_may_be_missing_empty_or_an_object_already() -> None:
    for arguments, understood in ((None, {}), ("", {}), ("{}", {}), ({"a": [1]}, {"a": [1]})):
        call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}}
        assert read(deltas({"tool_calls": [call]})) == [ToolCall("c", "f", understood)]


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", '"text"', "nonsense", '{"a": 1} {"b": 2}'])
def test_arguments_that_are_no_json_object_are_rejected_naming_the_call(arguments: str) -> None:
    with pytest.raises(ProviderRejected, match="tool call 'f': its arguments are no JSON object"):
        read(deltas({"content": "x"}, *call_deltas("f", arguments)))


def test_arguments_cut_off_by_the_token_limit_say_so() -> None:
    with pytest.raises(ProviderRejected, match=r"cut off at model\.maxTokens"):
        read(deltas(*call_deltas("f", '{"a": ')[:-1], finish="length"))


def test_a_call_without_a_name_is_rejected() -> None:
    with pytest.raises(ProviderRejected, match="without a name"):
        read(deltas(*call_deltas("", {})))


def test_the_end_call_function_ends_the_call_under_each_of_its_names() -> None:
    names = frozenset({"endCall", "hang_up"})
    of = deltas({"content": "Bye."}, *call_deltas("hang_up", {}, "c1", 0), *call_deltas("note", {}, "c2", 1))
    assert read(of, end_call_names=names) == [TextDelta("Bye."), ToolCall("c2", "note", {}), EndOfCall()]


@pytest.mark.parametrize("broken", ["{", "[]", "3", "null", "hello"])
def test_a_chunk_that_is_no_json_object_makes_the_answer_broken_after_what_came_before(broken: str) -> None:
    reader = CompletionReader("test")
    seen: list[ModelPart] = []
    with pytest.raises(ProviderUnavailable, match="no JSON object"):
        seen.extend(reader.push(event(chunk({"content": "a"}))))
        seen.extend(reader.push(event(broken)))
    assert seen == [TextDelta("a")]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": 3, "tool_calls": [None]}}]},
        {"choices": [{"index": 1, "delta": {"content": "other choice"}}]},
        {"usage": {"prompt_tokens": "many", "prompt_tokens_details": None}},
    ],
)
def test_odd_chunks_say_nothing_and_break_nothing(odd: dict[str, Any]) -> None:
    parts = read(event(odd), deltas({"content": "a"}))
    assert [part for part in parts if not isinstance(part, ModelUsage)] == [TextDelta("a")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "invalid_request_error"}, ProviderRejected),
        ({"code": 401}, ProviderUnauthorized),
        ({"code": 403}, ProviderRejected),
        ({"code": 429}, ProviderUnavailable),
        ({"code": "502"}, ProviderUnavailable),
        ({"type": "overloaded"}, ProviderUnavailable),
        ("just a text", ProviderUnavailable),
    ],
)
def test_an_error_inside_the_answer_is_raised_by_its_kind(error: Any, kind: type[ProviderError]) -> None:
    for body in (deltas({"content": "a"}) + event({"error": error}), json.dumps({"error": error}).encode()):
        with pytest.raises(kind):
            read(body)


@pytest.mark.parametrize("status", [300, 307, 400, 403, 404, 405, 413, 422])
def test_these_statuses_are_final(status: int) -> None:
    assert type(refusal("test", status, b"")) is ProviderRejected


def test_a_key_that_is_not_known_is_told_apart_and_final() -> None:
    error = refusal("test", 401, b"")
    assert type(error) is ProviderUnauthorized
    assert not error.retryable


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_these_statuses_are_worth_another_try(status: int) -> None:
    assert type(refusal("test", status, b"")) is ProviderUnavailable


def test_a_refusal_tells_the_code_but_never_the_message() -> None:
    body = {"error": {"message": "Incorrect key sk-secret", "code": "invalid_api_key", "type": "x"}}
    assert refusal("test", 401, json.dumps(body).encode()).detail == "answered 401 (invalid_api_key)"
    body = {"error": {"message": "no", "code": "the key sk-secret is wrong", "type": None}}
    assert refusal("test", 401, json.dumps(body).encode()).detail == "answered 401"
    for odd in (b"", b"<html>", b"[]", b'{"error": "sk-secret"}', b"\xff"):
        assert refusal("test", 500, odd).detail == "answered 500"
