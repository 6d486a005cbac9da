"""The OpenAI-compatible model against a real HTTP server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx
import pytest

from voxbus_contracts.assistant import Model
from voxbus_contracts.tool import Tool
from voxbus_llm_orchestrator.providers.completion_request import completions_url
from voxbus_llm_orchestrator.providers.custom_llm import CustomLlm
from voxbus_llm_orchestrator.providers.openai import OpenAiModel
from voxbus_providers.errors import ProviderError, ProviderRejected, ProviderUnauthorized, ProviderUnavailable
from voxbus_providers.model import ModelPart, ModelRequest, TextDelta, ToolCall, Turn
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, operator_client
from voxbus_testing.conformance_model import TOOLS, ModelConformance, Prepare, Wanted, parts_of, text_of
from voxbus_testing.openai_server import (
    HOLD,
    Answer,
    OpenAiServer,
    call_deltas,
    cut_off,
    event,
    failing,
    silent,
    stalling,
    streamed,
    whole,
)

NOW_S = 1_767_225_600.5


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer() as server:
        yield server


@pytest.fixture
async def openai(server: OpenAiServer) -> AsyncIterator[OpenAiModel]:
    model = OpenAiModel(operator_client(), server.base_url, "sk-test")
    yield model
    await model.close()


@pytest.fixture
async def custom() -> AsyncIterator[CustomLlm]:
    model = CustomLlm(customer_client(Guard.parse("127.0.0.0/8")), now_s=lambda: NOW_S)
    yield model
    await model.close()


def ask(heard: str = "Hello.", timeout_s: float = 20, tools: tuple[Tool, ...] = (), **model: Any) -> ModelRequest:
    settings = Model(provider="openai", model="gpt-test", **model).model_copy(update={"timeout_seconds": timeout_s})
    return ModelRequest(settings, (Turn("system", "Be kind."), Turn("user", heard)), tools, call="call-1")


async def test_the_request_is_openais_with_the_platforms_key(server: OpenAiServer, openai: OpenAiModel) -> None:
    server.answer_next(streamed("Hi."))
    await parts_of(openai, ask(url="https://elsewhere.example", headers={"Authorization": "Bearer stolen"}))
    (request,) = server.received
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-test"
    assert request.body == {
        "model": "gpt-test",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello."}],
        "temperature": 0.5,
        "max_tokens": 250,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_the_field_of_the_token_limit_is_the_vendors(server: OpenAiServer) -> None:
    client = operator_client()
    model = OpenAiModel(client, server.base_url, "", limit_field="max_completion_tokens")
    server.answer_next(streamed("Hi."))
    await parts_of(model, ask())
    await model.close()
    assert server.received[0].body["max_completion_tokens"] == 250
    assert "max_tokens" not in server.received[0].body
    assert "authorization" not in server.received[0].headers
    assert client.is_closed


async def test_functions_and_end_call_are_offered_and_other_tools_are_not(
    server: OpenAiServer, openai: OpenAiModel
) -> None:
    tools = (
        Tool.model_validate({"type": "function", "function": {"name": "f", "description": "F", "strict": True,
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}}),
        Tool(type="endCall"),
        Tool(type="transferCall"),
    )  # fmt: skip
    server.answer_next(streamed("Hi."))
    await parts_of(openai, ask(tools=tools))
    function, end_call = server.received[0].body["tools"]
    assert function == {
        "type": "function",
        "function": {
            "name": "f",
            "description": "F",
            "strict": True,
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
    }
    assert end_call["function"]["name"] == "endCall"
    assert end_call["function"]["parameters"] == {"type": "object", "properties": {}}
    assert end_call["function"]["description"]


async def test_tool_calls_and_their_answers_are_told_as_history(server: OpenAiServer, openai: OpenAiModel) -> None:
    call = ToolCall("c1", "f", {"a": "ü"})
    messages = (
        Turn("user", "Go."),
        Turn("assistant", "", tool_calls=(call,)),
        Turn("tool", "done", tool_call_id="c1", tool_name="f"),
    )
    server.answer_next(streamed("Hi."))
    await parts_of(openai, replace(ask(), messages=messages))
    _, assistant, tool = server.received[0].body["messages"]
    assert assistant["content"] is None
    assert assistant["tool_calls"][0]["id"] == "c1"
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"a": "ü"}
    assert tool == {"role": "tool", "tool_call_id": "c1", "content": "done"}


@pytest.mark.parametrize(
    "answer",
    [
        streamed("Déjà vu, you know."),
        streamed("Déjà vu, you know.", line_end="\r\n"),
        streamed("Déjà vu, you know.").in_pieces_of(1),
        whole("Déjà vu, you know."),
        whole("Déjà vu, you know.").in_pieces_of(3),
    ],
)
async def test_answers_are_read_however_they_are_sent(
    server: OpenAiServer, openai: OpenAiModel, answer: Answer
) -> None:
    server.answer_next(answer)
    assert text_of(await parts_of(openai, ask())) == "Déjà vu, you know."


async def test_text_is_given_on_before_the_answer_is_complete(server: OpenAiServer, openai: OpenAiModel) -> None:
    server.answer_next(stalling("One moment."))
    async with aclosing(openai.stream(ask())) as reply:
        assert [await anext(reply), await anext(reply)] == [TextDelta("One"), TextDelta(" moment.")]
        assert not server.has_aborted.is_set()
        server.go_on()
        assert len([part async for part in reply]) == 1


async def test_closing_the_iterator_aborts_the_request(server: OpenAiServer, openai: OpenAiModel) -> None:
    server.answer_next(stalling("One moment."))
    reply = openai.stream(ask())
    assert await anext(reply) == TextDelta("One")
    await reply.aclose()
    await asyncio.wait_for(server.has_aborted.wait(), 5)


async def test_cancelling_whoever_waits_for_the_first_token_aborts_the_request(
    server: OpenAiServer, openai: OpenAiModel
) -> None:
    server.answer_next(silent())
    waiting = asyncio.ensure_future(parts_of(openai, ask()))
    async with asyncio.timeout(5):
        while not server.received:
            await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait_for(server.has_aborted.wait(), 5)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_connections_are_used_again(server: OpenAiServer, openai: OpenAiModel) -> None:
    server.answer_next(streamed("One."), failing(429), streamed("Two.").in_pieces_of(5), whole("Three."))
    await parts_of(openai, ask())
    with pytest.raises(ProviderUnavailable):
        await parts_of(openai, ask())
    await parts_of(openai, ask())
    await parts_of(openai, ask())
    assert server.connections == 1


async def test_a_server_that_leaves_the_body_open_after_done_does_not_hold_the_reply_up(
    server: OpenAiServer, openai: OpenAiModel
) -> None:
    server.answer_next(Answer((*streamed("Hi.").pieces, HOLD)))
    assert text_of(await asyncio.wait_for(parts_of(openai, ask()), 5)) == "Hi."


@pytest.mark.parametrize(
    ("answer", "kind", "detail"),
    [
        (failing(400, "bad"), ProviderRejected, "answered 400 (bad)"),
        (failing(401, "invalid_api_key", "wrong key sk-test"), ProviderUnauthorized, "answered 401 (invalid_api_key)"),
        (failing(403), ProviderRejected, "answered 403 (test_error)"),
        (failing(404), ProviderRejected, "answered 404 (test_error)"),
        (Answer((), 307), ProviderRejected, "answered 307"),
        (failing(408), ProviderUnavailable, "answered 408 (test_error)"),
        (failing(409), ProviderUnavailable, "answered 409 (test_error)"),
        (failing(429, "rate_limit_exceeded"), ProviderUnavailable, "answered 429 (rate_limit_exceeded)"),
        (Answer((b"<html>",), 503), ProviderUnavailable, "answered 503"),
        (Answer((b"data: {]\n\n",)), ProviderUnavailable, "sent a chunk that is no JSON object"),
        (Answer(()), ProviderUnavailable, "ended the answer without saying anything"),
        (Answer((event({"error": {"code": 500}}),)), ProviderUnavailable, "answered 500"),
        (
            streamed(calls=call_deltas("f", '{"a": ')),
            ProviderRejected,
            "tool call 'f': its arguments are no JSON object",
        ),
    ],
)
async def test_errors_are_told_apart_by_whether_another_try_is_worth_it(
    server: OpenAiServer, openai: OpenAiModel, answer: Answer, kind: type[ProviderError], detail: str
) -> None:
    server.answer_next(answer)
    with pytest.raises(ProviderError) as caught:
        await parts_of(openai, ask())
    assert type(caught.value) is kind
    assert str(caught.value) == f"openai: {detail}"


async def test_a_connection_that_breaks_in_the_answer_is_worth_another_try_after_what_was_said(
    server: OpenAiServer, openai: OpenAiModel
) -> None:
    server.answer_next(cut_off("One two"))
    seen: list[ModelPart] = []
    with pytest.raises(ProviderUnavailable, match="connection failed"):
        async for part in openai.stream(ask()):
            seen.append(part)
    assert text_of(seen) == "One two"


async def test_a_server_that_is_not_there_is_unavailable(openai: OpenAiModel, server: OpenAiServer) -> None:
    async with OpenAiServer() as other:
        gone = other.base_url
    model = OpenAiModel(operator_client(), gone, "sk-test", provider="groq")
    with pytest.raises(ProviderUnavailable, match="groq: the connection failed: ConnectError"):
        await parts_of(model, ask())
    await model.close()


async def test_no_first_token_in_time_is_unavailable_and_aborts(server: OpenAiServer, openai: OpenAiModel) -> None:
    head_only = Answer((event({"choices": [{"delta": {"role": "assistant"}}]}), *silent().pieces))
    for answer in (silent(), head_only):
        server.has_aborted.clear()
        server.answer_next(answer)
        with pytest.raises(ProviderUnavailable, match=r"no first token within 0\.05 s"):
            await parts_of(openai, ask(timeout_s=0.05))
        await asyncio.wait_for(server.has_aborted.wait(), 5)


async def test_an_answer_that_stalls_is_unavailable_after_what_was_said(
    server: OpenAiServer, openai: OpenAiModel
) -> None:
    server.answer_next(stalling("One moment."))
    seen: list[ModelPart] = []
    with pytest.raises(ProviderUnavailable, match=r"nothing more within 1 s"):
        async for part in openai.stream(ask(timeout_s=1)):
            seen.append(part)
    assert text_of(seen) == "One moment."


async def test_a_custom_llm_is_asked_with_its_own_headers_and_told_about_the_call(
    server: OpenAiServer, custom: CustomLlm
) -> None:
    server.answer_next(streamed("Hi."), streamed("Hi."), streamed("Hi."))
    headers = {"Authorization": "Bearer theirs", "X-Tenant": "7"}
    await parts_of(custom, replace(ask(url=f"{server.base_url}/?v=2", headers=headers), org="acme"))
    await parts_of(custom, ask(url=f"{server.base_url}/chat/completions/"))
    await parts_of(custom, ask(url=server.base_url, metadataSendMode="off"))
    first, second, third = server.received
    assert first.path == "/v1/chat/completions?v=2"
    assert first.headers["authorization"] == "Bearer theirs"
    assert first.headers["x-tenant"] == "7"
    assert first.body["call"] == {"id": "call-1", "orgId": "acme"}
    assert first.body["timestamp"] == 1_767_225_600_500
    assert "stream_options" not in first.body
    assert second.path == "/v1/chat/completions"
    assert second.body["call"] == {"id": "call-1"}
    assert set(third.body) == {"model", "messages", "temperature", "max_tokens", "stream"}


async def test_redirects_are_refused_even_by_a_client_that_would_follow_them(server: OpenAiServer) -> None:
    model = CustomLlm(httpx.AsyncClient(trust_env=False, follow_redirects=True))
    server.answer_next(Answer((), 307, location=f"{server.base_url}/elsewhere"), streamed("Hi."))
    with pytest.raises(ProviderRejected, match="answered 307"):
        await parts_of(model, ask(url=server.base_url))
    await model.close()


@pytest.mark.parametrize(
    ("model", "detail"),
    [
        ({}, "model.url is missing"),
        ({"url": "ftp://a.example"}, "model.url is no http or https address"),
        ({"url": "http://a.example:port/v1"}, "the request cannot be sent: InvalidURL"),
        ({"url": "http://127.0.0.1:9", "headers": {"X": "ü\n"}}, "the request cannot be sent"),
    ],
)
async def test_a_custom_llm_that_cannot_be_asked_is_rejected_naming_the_field(
    custom: CustomLlm, model: dict[str, Any], detail: str
) -> None:
    with pytest.raises(ProviderRejected) as caught:
        await parts_of(custom, ask(**model))
    assert str(caught.value).startswith(f"custom-llm: {detail}")


@pytest.mark.parametrize(
    ("base", "full"),
    [
        ("http://a/v1", "http://a/v1/chat/completions"),
        ("http://a/v1/ ", "http://a/v1/chat/completions"),
        ("http://a", "http://a/chat/completions"),
        ("http://a/chat/completions", "http://a/chat/completions"),
        ("http://a/v%2F1/chat/completions/?k=a/b", "http://a/v%2F1/chat/completions?k=a/b"),
    ],
)
def test_the_path_of_completions_is_added_once(base: str, full: str) -> None:
    assert completions_url(base) == full


def answer_wanted(wanted: Wanted) -> Answer:
    calls = call_deltas(wanted.call[0], wanted.call[1]) if wanted.call else []
    return streamed(wanted.text, calls + (call_deltas("endCall", {}) if wanted.end_call else []))


class TestOpenAiModel(ModelConformance):
    @pytest.fixture
    def model(self, openai: OpenAiModel) -> OpenAiModel:
        return openai

    @pytest.fixture
    def prepare(self, server: OpenAiServer) -> Prepare:
        def prepare(wanted: Wanted) -> ModelRequest:
            server.answer_to(wanted.heard, answer_wanted(wanted))
            return replace(ask(tools=TOOLS), messages=wanted.messages)

        return prepare


class TestCustomLlm(ModelConformance):
    @pytest.fixture
    def model(self, custom: CustomLlm) -> CustomLlm:
        return custom

    @pytest.fixture
    def prepare(self, server: OpenAiServer) -> Prepare:
        def prepare(wanted: Wanted) -> ModelRequest:
            server.answer_to(wanted.heard, answer_wanted(wanted))
            return replace(ask(tools=TOOLS, url=server.base_url), messages=wanted.messages)

        return prepare
