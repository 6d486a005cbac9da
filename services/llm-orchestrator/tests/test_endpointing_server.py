"""The customer's endpointing server: what it is sent, what its answers mean, what its failures say."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_llm_orchestrator import endpointing_server
from voxbus_llm_orchestrator.endpointing_server import Advice, EndpointingServer
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client

REF = CallRef("org-1", "0198a3c2-7b1e-7c55-9f3e-5d2a6b4c8d0e")
SERVER = {"url": "https://ends.example/turn", "headers": {"authorization": "Bearer k"}, "secret": "s"}
MESSAGES = [{"role": "user", "content": "four two"}]

Answer = Callable[[httpx.Request], httpx.Response]


def assistant(own: dict[str, Any] | None = None, **fields: Any) -> Assistant:
    smart = {"provider": "custom-endpointing-model", **({"server": own} if own else {})}
    return Assistant.model_validate({"startSpeakingPlan": {"smartEndpointingPlan": smart}, **fields})


async def asked(answer: Answer, who: Assistant | None = None) -> Advice:
    server = EndpointingServer(httpx.AsyncClient(transport=httpx.MockTransport(answer)), now_s=lambda: 12.5)
    try:
        return await server.ask(who or assistant(SERVER), REF, 7, MESSAGES)
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

    server = EndpointingServer(httpx.AsyncClient(transport=Hanging()))
    advice = await asyncio.wait_for(server.ask(assistant(SERVER), REF, 7, MESSAGES), 5)
    assert advice == Advice(7, problem="no answer within 0.01 s")
    await server.close()


async def test_an_address_inside_the_machine_is_refused_by_the_guard() -> None:
    server = EndpointingServer(customer_client(Guard()))
    advice = await server.ask(assistant({"url": "http://127.0.0.1:9/"}), REF, 7, MESSAGES)
    assert advice.problem == "it must not be reached from here"
    await server.close()
