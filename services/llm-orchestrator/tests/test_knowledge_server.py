"""A customer's own knowledge: what it is asked, what becomes of its answer, and what of a broken one."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator import knowledge_server
from voxbus_llm_orchestrator.asking import Answered, SentenceReady
from voxbus_llm_orchestrator.knowledge_server import (
    NOTHING,
    Knowledge,
    KnowledgeServer,
    read_knowledge,
    said_instead,
    with_documents,
)
from voxbus_llm_orchestrator.plan import plan_of
from voxbus_providers.model import Turn
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.server_access import ServerAccess

TURNS = (
    Turn("system", "Be kind."),
    Turn("user", "Hi."),
    Turn("assistant", "Hello."),
    Turn("user", "When do you open?"),
)
Handler = Callable[[httpx.Request], Any]


def assistant(**server: Any) -> Assistant:
    base = {"provider": "custom-knowledge-base", "server": {"url": "https://know.example/ask", **server}}
    return Assistant.model_validate({"model": {"provider": "custom-llm", "knowledgeBase": base}})


async def asked(answer: Handler, whom: Assistant | None = None, **config: Any) -> Knowledge:
    client = customer_client(Guard(), inner=httpx.MockTransport(answer))
    server = KnowledgeServer(client, ServerAccess(client, None))
    called = CallConfig.model_validate({"org": "acme", "call": "call-1", "created_at_ms": 1, **config})
    try:
        return await server.ask(called, whom or assistant(), TURNS)
    finally:
        await server.close()


async def test_the_server_is_asked_with_the_conversation_in_both_shapes_and_its_documents_are_taken_in_order() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        documents = [
            {"content": "We open at nine.", "similarity": 0.9},
            {"content": " "},
            {"content": "Not on Sunday."},
        ]
        return httpx.Response(200, json={"documents": documents})

    plan = {"type": "bearer", "token": "let-me-in"}
    lent = [{"id": "c-1", "provider": "custom-credential", "authentication": plan}]
    found = await asked(answer, assistant(secret="s3cret", credentialId="c-1"), credentials=lent)
    assert found == Knowledge(("We open at nine.", "Not on Sunday."))
    (request,) = seen
    message = json.loads(request.content)["message"]
    assert message["type"] == "knowledge-base-request"
    assert message["messagesOpenAIFormatted"][-1] == {"role": "user", "content": "When do you open?"}
    assert message["messages"][2] == {"role": "bot", "message": "Hello."}
    assert message["call"]["id"] == "call-1"
    assert request.headers["x-vapi-secret"] == "s3cret"
    assert request.headers["authorization"] == "Bearer let-me-in"


async def test_an_assistant_without_such_a_server_asks_nobody() -> None:
    def never(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    assert await asked(never, Assistant()) is NOTHING
    hosted = Assistant.model_validate({"model": {"knowledgeBase": {"provider": "trieve"}}})
    assert await asked(never, hosted) is NOTHING


def test_documents_stand_before_the_callers_last_words_and_no_more_of_them_than_a_prompt_bears() -> None:
    told = with_documents(TURNS, ("We open at nine.", "x" * 30_000, "Not on Sunday."))
    assert told[:3] == TURNS[:3]
    assert told[-1] == TURNS[-1]
    assert told[3].role == "system"
    assert told[3].content.endswith("We open at nine.\n\nNot on Sunday.")
    assert with_documents(TURNS, ()) == TURNS


def test_a_message_is_said_sentence_by_sentence_in_the_models_place_and_none_twice() -> None:
    assert said_instead("We open at nine. Not on Sunday.", 0) == [
        SentenceReady("We open at nine.", 0, 0),
        SentenceReady("Not on Sunday.", 0, 0),
        Answered(0, False, None),
    ]
    assert said_instead("We open at nine. Not on Sunday.", 1)[0] == SentenceReady("Not on Sunday.", 0, 0)
    assert read_knowledge({"message": "Closed."}).message == "Closed."
    assert read_knowledge({"documents": []}) == NOTHING


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda _: httpx.Response(401, text="a private sentence"), "it answered with status 401"),
        (lambda _: httpx.Response(500), "it answered with status 500"),
        (lambda _: httpx.Response(302, headers={"location": "http://127.0.0.1/"}), "it answered with status 302"),
        (lambda _: httpx.Response(200, text="<html>"), "it did not answer in JSON"),
        (lambda _: httpx.Response(200, json=[1]), "its answer is no JSON object"),
        (lambda _: httpx.Response(200, json={"docs": []}), "its answer has neither documents nor a message"),
        (lambda _: httpx.Response(200, content=b"x" * 2_000_000), "it answered more than 1048576 bytes"),
    ],
)
async def test_a_broken_server_is_told_as_it_is_and_the_model_answers_without_it(answer: Handler, problem: str) -> None:
    assert await asked(answer) == Knowledge(problem=problem)


async def test_a_server_that_hangs_is_given_up_at_its_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge_server, "knowledge_limit_s", lambda _server: 0.05)

    async def hang(_request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    assert (await asked(hang)).problem == "no answer within 0.05 s"


async def test_an_address_inside_and_a_gone_credential_are_told_apart() -> None:
    def never(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    assert (await asked(never, assistant(url="http://169.254.169.254/"))).problem == "it must not be reached from here"
    assert (await asked(never, assistant(credentialId="gone"))).problem == "its credential is not there"


def test_the_patience_with_the_model_begins_when_it_is_told_what_it_needs() -> None:
    def patience_ms(whom: Assistant) -> int:
        config = CallConfig.model_validate({"org": "acme", "call": "c", "created_at_ms": 1})
        return plan_of(config.model_copy(update={"assistant": whom}), None).model_patience_ms

    assert patience_ms(assistant()) - patience_ms(Assistant()) == 10_000
    assert patience_ms(assistant(timeoutSeconds=2)) - patience_ms(Assistant()) == 2_000


async def test_a_token_the_server_does_not_take_any_more_is_fetched_again_once() -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": f"t{len(paths)}", "expires_in": 3600})
        is_taken = request.headers["authorization"] == "Bearer t3"
        return httpx.Response(200 if is_taken else 401, json={"documents": [{"content": "We open at nine."}]})

    plan = {"type": "oauth2", "url": "https://know.example/token", "clientId": "me", "clientSecret": "s"}
    credential = {"id": "c1", "provider": "custom-credential", "authentication": plan}
    found = await asked(answer, assistant(credentialId="c1"), credentials=[credential])
    assert found.documents == ("We open at nine.",)
    assert paths == ["/token", "/ask", "/token", "/ask"]
