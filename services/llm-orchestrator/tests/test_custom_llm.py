"""A customer's own model: what it is told of the call, with whose credential, and what a flush does."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_contracts.assistant import Assistant, Model
from voxbus_contracts.config import CallConfig, CallCredential
from voxbus_llm_orchestrator.asking import Before, SentenceReady, ask
from voxbus_llm_orchestrator.model_access import access_of
from voxbus_llm_orchestrator.providers.custom_llm import CustomLlm, about_the_call
from voxbus_llm_orchestrator.providers.openai import OpenAiModel
from voxbus_providers.errors import ProviderError, ProviderRejected, ProviderUnavailable
from voxbus_providers.model import ModelAccess, ModelRequest, TextDelta, ToolCall, Turn
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, operator_client
from voxbus_runtime.sealing import seal
from voxbus_runtime.server_access import ServerAccess
from voxbus_testing.conformance_model import parts_of, text_of
from voxbus_testing.openai_server import HOLD, Answer, OpenAiServer, call_deltas, chunk, event, failing, streamed, whole
from voxbus_testing.token_server import TokenServer

KEY = SecretStr(Fernet.generate_key().decode())
WITHIN_S = 5


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer() as server:
        yield server


@pytest.fixture
async def custom() -> AsyncIterator[CustomLlm]:
    model = CustomLlm(customer_client(Guard.parse("127.0.0.0/8")), now_s=lambda: 1_767_225_600.5)
    yield model
    await model.close()


def request(url: str, access: ModelAccess | None = None, **model: Any) -> ModelRequest:
    settings = Model.model_validate({"provider": "custom-llm", "model": "m", "url": url, **model})
    told = replace(access or ModelAccess())
    return ModelRequest(settings, (Turn("user", "Hello."),), (), call="call-1", org="acme", access=told)


def config(**fields: Any) -> CallConfig:
    return CallConfig.model_validate({"org": "acme", "call": "call-1", "created_at_ms": 1, **fields})


def lent(provider: str, **fields: Any) -> CallCredential:
    return CallCredential.model_validate({"id": "c-1", "provider": provider, **fields})


def test_a_customers_model_is_told_of_the_call_its_caller_and_where_it_is_controlled() -> None:
    assistant = Assistant.model_validate({"model": {"provider": "custom-llm"}, "metadata": {"shop": 7}})
    called = config(
        monitor={"controlUrl": seal("https://api.example/call/call-1/control?token=t", KEY)},
        variables={"customer": {"number": "+14155552671"}, "phoneNumber": {"number": "+14155550000"}, "plan": "gold"},
    )
    about = access_of(called, assistant, KEY).about
    assert about["call"]["id"] == "call-1"
    assert about["call"]["type"] == "vapi.websocketCall"
    assert about["call"]["monitor"] == {"controlUrl": "https://api.example/call/call-1/control?token=t"}
    assert about["call"]["assistantOverrides"]["variableValues"]["plan"] == "gold"
    assert about["call"]["customer"] == about["customer"] == {"number": "+14155552671"}
    assert about["phoneNumber"] == {"number": "+14155550000"}
    assert about["metadata"] == {"shop": 7}


def test_other_vendors_are_told_nothing_of_the_call() -> None:
    assistant = Assistant.model_validate({"model": {"provider": "openai"}, "metadata": {"shop": 7}})
    assert access_of(config(), assistant, KEY).about == {}


def test_metadata_stands_in_one_field_or_spread_out_and_never_in_the_place_of_the_protocols() -> None:
    access = ModelAccess(about={"metadata": {"shop": 7, "call": "mine"}, "customer": {"name": "Ada"}})
    as_one = about_the_call(request("u", access), 5)
    assert as_one == {
        "call": {"id": "call-1", "orgId": "acme"},
        "customer": {"name": "Ada"},
        "metadata": {"shop": 7, "call": "mine"},
        "timestamp": 5,
    }
    spread = about_the_call(request("u", access, metadataSendMode="destructured"), 5)
    assert spread["shop"] == 7
    assert spread["call"] == {"id": "call-1", "orgId": "acme"}
    assert "metadata" not in spread
    assert about_the_call(request("u", access, metadataSendMode="off"), 5) == {}


async def test_metadata_called_as_a_field_of_the_request_does_not_replace_it(
    server: OpenAiServer, custom: CustomLlm
) -> None:
    server.answer_next(streamed("Hi."))
    access = ModelAccess(about={"metadata": {"messages": "none", "stream": False}})
    await parts_of(custom, request(server.base_url, access, metadataSendMode="destructured"))
    assert server.received[0].body["messages"] == [{"role": "user", "content": "Hello."}]
    assert server.received[0].body["stream"] is True


async def test_the_tenants_key_is_shown_and_an_own_header_counts_before_it(
    server: OpenAiServer, custom: CustomLlm
) -> None:
    server.answer_next(streamed("Hi."), streamed("Hi."))
    access = ModelAccess(api_key="sk-own")
    await parts_of(custom, request(server.base_url, access))
    await parts_of(custom, request(server.base_url, access, headers={"Authorization": "Bearer header"}))
    assert [each.headers["authorization"] for each in server.received] == ["Bearer sk-own", "Bearer header"]


async def test_a_token_is_fetched_of_the_authorization_server_and_shown(
    server: OpenAiServer, custom: CustomLlm
) -> None:
    server.answer_next(streamed("Hi."))
    async with TokenServer() as issuer:
        plan = issuer.plan
        await parts_of(custom, request(server.base_url, ModelAccess(authentication=plan)))
    assert server.received[0].headers["authorization"] == "Bearer t-1"
    with pytest.raises(ProviderUnavailable, match="the model's credential"):
        await parts_of(custom, request(server.base_url, ModelAccess(authentication={**plan, "clientId": "other"})))


async def test_a_token_that_is_refused_is_replaced_once_and_the_model_asked_again(
    server: OpenAiServer, custom: CustomLlm
) -> None:
    server.answer_next(streamed("Hi."), failing(401), streamed("There."), failing(401), failing(401))
    async with TokenServer() as issuer:
        access = ModelAccess(authentication=issuer.plan)
        for _ in range(2):
            await parts_of(custom, request(server.base_url, access))
        with pytest.raises(ProviderRejected, match="answered 401"):
            await parts_of(custom, request(server.base_url, access))
    shown = [each.headers["authorization"] for each in server.received]
    assert shown == ["Bearer t-1", "Bearer t-1", "Bearer t-2", "Bearer t-2", "Bearer t-2"]


async def test_what_is_signed_is_what_is_sent(server: OpenAiServer, custom: CustomLlm) -> None:
    server.answer_next(streamed("Hi."))
    plan = {"type": "hmac", "secretKey": seal("hush", KEY), "algorithm": "sha256"}
    signing = CustomLlm(custom_client := customer_client(Guard.parse("127.0.0.0/8")), ServerAccess(custom_client, KEY))
    try:
        await parts_of(signing, request(server.base_url, ModelAccess(authentication=plan)))
    finally:
        await signing.close()
    (got,) = server.received
    signed = got.headers["x-timestamp"].encode() + b"." + got.content
    assert got.headers["x-signature"] == hmac.new(b"hush", signed, "sha256").hexdigest()
    assert got.headers["content-type"] == "application/json"


async def test_an_answer_that_has_begun_is_not_asked_for_again(server: OpenAiServer, custom: CustomLlm) -> None:
    broken = Answer((*streamed("Hi there.").pieces[:3], event({"error": {"message": "no", "code": 401}})))
    server.answer_next(broken, streamed("Twice."))
    async with TokenServer() as issuer:
        asked = request(server.base_url, ModelAccess(authentication=issuer.plan))
        heard: list[str] = []
        with pytest.raises(ProviderError):
            async for part in custom.stream(asked):
                heard += [part.text] if isinstance(part, TextDelta) else []
    assert "".join(heard) == "Hi there."
    assert len(server.received) == 1


async def test_a_credential_that_cannot_be_used_is_told_without_its_secret(custom: CustomLlm) -> None:
    plan = {"type": "bearer", "token": seal("hush", SecretStr(Fernet.generate_key().decode()))}
    with pytest.raises(ProviderRejected, match="its secret cannot be used") as told:
        await parts_of(custom, request("http://127.0.0.1:9", ModelAccess(authentication=plan)))
    assert "hush" not in str(told.value)


async def test_a_stored_key_of_a_vendor_takes_the_place_of_the_platforms(server: OpenAiServer) -> None:
    assistant = Assistant.model_validate({"model": {"provider": "openai", "model": "gpt"}})
    access = access_of(config(credentials=[lent("openai", api_key=seal("sk-tenant", KEY))]), assistant, KEY)
    model = OpenAiModel(operator_client(), server.base_url, "sk-platform")
    server.answer_next(streamed("Hi."), streamed("Hi."))
    question = ModelRequest(assistant.model, (Turn("user", "Hello."),), (), call="c", access=access)
    await parts_of(model, question)
    await parts_of(model, replace(question, access=access_of(config(), assistant, KEY)))
    await model.close()
    assert [each.headers["authorization"] for each in server.received] == ["Bearer sk-tenant", "Bearer sk-platform"]
    assert "sk-tenant" not in repr(question)


def test_a_key_sealed_for_another_cluster_fails_the_turn_and_names_the_setting() -> None:
    assistant = Assistant.model_validate({"model": {"provider": "openai"}})
    other = SecretStr(Fernet.generate_key().decode())
    with pytest.raises(ProviderRejected, match="VOXBUS_CLUSTER_KEY"):
        access_of(config(credentials=[lent("openai", api_key=seal("sk", other))]), assistant, KEY)


@pytest.mark.parametrize("tag", ["<flush />", "<flush/>", "< Flush >", "</flush>", "< / FLUSH >"])
async def test_what_stands_before_a_flush_is_spoken_although_the_answer_stalls_behind_it(
    server: OpenAiServer, custom: CustomLlm, tag: str
) -> None:
    pieces = [event(chunk({"content": text})) for text in ("Let me look that", f" up {tag[:3]}", tag[3:])]
    server.answer_next(Answer((*pieces, HOLD, *streamed(" Found it.").pieces)))
    async with aclosing(ask(custom, request(server.base_url), Before())) as answer, asyncio.timeout(WITHIN_S):  # pyright: ignore[reportArgumentType]
        first = await anext(answer)
        assert isinstance(first, SentenceReady)
        assert first.text == "Let me look that up"
        server.go_on()
        second = await anext(answer)
        assert isinstance(second, SentenceReady)
        assert second.text == "Found it."


async def test_one_whole_json_answer_is_taken_too_and_its_tools_are_called_by_name(
    server: OpenAiServer, custom: CustomLlm
) -> None:
    function = {"name": "order_status", "arguments": '{"order": "4711"}'}
    server.answer_next(whole("One moment.", [{"id": "c1", "type": "function", "function": function}]))
    server.answer_next(streamed(calls=call_deltas("order_status", {"order": "4711"})))
    for _ in range(2):
        parts = await parts_of(custom, request(server.base_url))
        assert ToolCall("c1", "order_status", {"order": "4711"}) in parts or any(
            isinstance(part, ToolCall) and part.name == "order_status" for part in parts
        )


async def test_an_answer_that_is_not_wanted_any_more_is_aborted(server: OpenAiServer, custom: CustomLlm) -> None:
    server.answer_next(Answer((event(chunk({"content": "One. Two"})), HOLD)))
    answer = custom.stream(request(server.base_url))
    async with asyncio.timeout(WITHIN_S):
        assert text_of([await anext(answer)]) == "One. Two"
        await answer.aclose()
        await server.has_aborted.wait()


async def test_an_address_of_the_inner_network_is_refused_and_told_as_such() -> None:
    client = customer_client(Guard())
    model = CustomLlm(client)
    with pytest.raises(ProviderRejected, match="must not be reached"):
        await parts_of(model, request("http://169.254.169.254/v1"))
    await model.close()
