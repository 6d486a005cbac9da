"""The customer's endpointing server: what it is sent, what its answers mean, what its failures say."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator import endpointing_server
from voxbus_llm_orchestrator.endpointing_server import Advice, EndpointingServer
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.server_access import ServerAccess

REF = CallRef("org-1", "0198a3c2-7b1e-7c55-9f3e-5d2a6b4c8d0e")
CALL = CallConfig(org=REF.org, call=REF.call, created_at_ms=1)
SERVER = {"url": "https://ends.example/turn", "headers": {"authorization": "Bearer k"}, "secret": "s"}
MESSAGES = [{"role": "user", "content": "four two"}]

Answer = Callable[[httpx.Request], httpx.Response]


def assistant(own: dict[str, Any] | None = None, **fields: Any) -> Assistant:
    smart = {"provider": "custom-endpointing-model", **({"server": own} if own else {})}
    return Assistant.model_validate({"startSpeakingPlan": {"smartEndpointingPlan": smart}, **fields})


def server_at(client: httpx.AsyncClient) -> EndpointingServer:
    return EndpointingServer(client, ServerAccess(client, None), now_s=lambda: 12.5)


async def asked(answer: Answer, who: Assistant | None = None, call: CallConfig = CALL) -> Advice:
    server = server_at(httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    try:
        return await server.ask(call, who or assistant(SERVER), 7, MESSAGES)
    finally:
        await server.close()


async def test_it_gets_the_conversation_and_its_own_headers() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"timeoutSeconds": 0.8})

    assert await asked(answer) == Advice(7, wait_ms=800)
    (request,) = requests
    assert (request.method, str(request.url)) == ("POST", "https://ends.example/turn")
    assert (request.headers["authorization"], request.headers["x-vapi-secret"]) == ("Bearer k", "s")
    message = json.loads(request.content)["message"]
    assert message == {
        "type": "call.endpointing.request",
        "timestamp": 12_500,
        "messagesOpenAIFormatted": MESSAGES,
        "call": {"id": REF.call, "orgId": REF.org},
    }


async def test_its_credential_lets_us_in_and_without_one_that_is_named_nothing_is_sent() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"timeoutSeconds": 1})

    plan = {"type": "bearer", "token": "let-me-in"}
    lent = [{"id": "c-1", "provider": "custom-credential", "authentication": plan}]
    who = assistant({"url": "https://ends.example/turn", "credentialId": "c-1"})
    with_it = CallConfig.model_validate({"org": REF.org, "call": REF.call, "created_at_ms": 1, "credentials": lent})
    assert (await asked(answer, who, with_it)).wait_ms == 1_000
    assert (await asked(answer, who)).problem == "its credential is not there"
    assert seen == ["Bearer let-me-in"]


async def test_without_a_server_of_its_own_the_plan_asks_the_assistants() -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(201, json={"timeoutSeconds": 15})

    assert (await asked(answer, assistant({"url": "https://main.example/"}))).wait_ms == 15_000
    assert (await asked(answer, assistant(None, server={"url": "https://other.example/"}))).wait_ms == 15_000
    assert hosts == ["main.example", "other.example"]


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (httpx.Response(500, text="secret text"), "status 500"),
        (httpx.Response(302, headers={"location": "http://127.0.0.1/"}), "status 302"),
        (httpx.Response(200, text="secret text"), "JSON"),
        (httpx.Response(200, json=[1]), "no number timeoutSeconds"),
        (httpx.Response(200, json={"timeoutSeconds": "1"}), "no number timeoutSeconds"),
        (httpx.Response(200, json={"timeoutSeconds": True}), "no number timeoutSeconds"),
        (httpx.Response(200, json={"timeoutSeconds": -1}), "not between 0 and 15"),
        (httpx.Response(200, json={"timeoutSeconds": 16}), "not between 0 and 15"),
        (httpx.Response(200, text='{"timeoutSeconds": NaN}'), "not between 0 and 15"),
        (httpx.Response(200, content=b"x" * 20_000), "more than 10000 bytes"),
    ],
)
async def test_a_bad_answer_is_a_problem_that_quotes_nothing_of_it(response: httpx.Response, told: str) -> None:
    advice = await asked(lambda _request: response)
    assert advice.wait_ms is None
    assert told in advice.problem
    assert "secret" not in advice.problem


async def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpointing_server, "DEADLINE_S", 0.01)

    class Hanging(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

    server = server_at(httpx.AsyncClient(transport=Hanging()))
    advice = await asyncio.wait_for(server.ask(CALL, assistant(SERVER), 7, MESSAGES), 5)
    assert advice == Advice(7, problem="no answer within 0.01 s")
    await server.close()


async def test_an_address_inside_the_machine_is_refused_by_the_guard() -> None:
    server = server_at(customer_client(Guard()))
    advice = await server.ask(CALL, assistant({"url": "http://127.0.0.1:9/"}), 7, MESSAGES)
    assert advice.problem == "it must not be reached from here"
    await server.close()
