"""What an apiRequest tool sends, and what it makes of the answer."""

import json
from typing import Any

import httpx
import pytest
from kinds_at_hand import Stored, tool_runner

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig, CallCredential
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.errors import BadAnswer, ServerRefused, ServerTooSlow, ServerUnreachable

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
URL = "http://127.0.0.1:9"
ORDER = {"type": "object", "properties": {"order": {"type": "string"}}}


class Api:
    """Answers in turn, the last one again and again; remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers) or [httpx.Response(200, json={"ok": True})]
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


async def ask(api: Api, arguments: dict[str, Any], credentials: Any = None, ms: int = 20_000, **tool: Any) -> Answer:
    tool = {"type": "apiRequest", "name": "orders", "method": "POST", "url": f"{URL}/orders", **tool}
    config = CallConfig(
        org=REF.org,
        call=REF.call,
        created_at_ms=1,
        assistant=Assistant.model_validate({"model": {"tools": [tool]}}),
        variables={"customer": {"number": "+14155550100"}, "base": URL},
        credentials=tuple(
            CallCredential(id=each, provider="custom-credential", authentication=plan)
            for each, plan in (credentials or {}).items()
        ),
    )
    client = customer_client(Guard.parse("127.0.0.0/8"), inner=httpx.MockTransport(api))
    runner = tool_runner(Stored(config), client)
    command = RunTool(tool_call_id="call_1_1", tool_name="orders", arguments=arguments, timeout_ms=ms)
    return await runner.perform(await runner.prepare(REF, command, "00-trace"))


async def test_what_the_model_chose_and_what_is_fixed_become_one_body() -> None:
    api = Api()
    body = {
        "type": "object",
        "properties": {
            "order": {"type": "string"},
            "priority": {"type": "string", "default": "normal"},
            "source": {"type": "string", "value": "phone of {{ customer.number }}"},
            "meta": {"type": "object", "properties": {"v": {"type": "number", "value": 2}, "note": {"type": "string"}}},
        },
    }
    headers = {"type": "object", "properties": {"X-Shop": {"type": "string", "value": "north"}}}
    static = [{"key": "order_of", "value": "{{ order }}"}]
    answer = await ask(
        api, {"order": "4711", "meta": {"note": "hi"}, "source": "x"}, body=body, headers=headers, parameters=static
    )
    (request,) = api.asked
    assert json.loads(request.content) == {
        "order": "4711",
        "priority": "normal",
        "source": "phone of +14155550100",
        "meta": {"v": 2, "note": "hi"},
        "order_of": "4711",
    }
    assert request.headers["x-shop"] == "north"
    assert request.headers["idempotency-key"] == f"{REF.call}:call_1_1"
    assert answer.result == '{"ok": true}'


async def test_what_the_model_chose_cannot_leave_its_place_in_the_address() -> None:
    api = Api()
    tool: dict[str, Any] = {"method": "GET", "url": "{{ base }}/orders/{{ order }}/items"}
    await ask(api, {"order": "../admin?x=1#", "page": 2}, body=ORDER, **tool)
    assert str(api.asked[0].url) == f"{URL}/orders/..%2Fadmin%3Fx%3D1%23/items?page=2"
    assert api.asked[0].content == b""


async def test_a_form_is_sent_where_the_header_says_so() -> None:
    api = Api()
    form = {"content-type": {"type": "string", "value": "application/x-www-form-urlencoded"}}
    await ask(api, {"order": "4 7"}, body=ORDER, headers={"type": "object", "properties": form})
    assert api.asked[0].content == b"order=4+7"


async def test_a_bearer_credential_lets_it_in_and_one_that_is_gone_is_said() -> None:
    api = Api()
    plan = {"type": "bearer", "token": "t0p"}
    await ask(api, {}, {"c1": plan}, credentialId="c1")
    assert api.asked[0].headers["authorization"] == "Bearer t0p"
    with pytest.raises(ServerRefused, match="credential of the tool is not there"):
        await ask(api, {}, credentialId="c1")


async def test_a_token_that_is_not_taken_any_more_is_fetched_again_once() -> None:
    token = httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
    api = Api(token, httpx.Response(401), token, httpx.Response(200, json={"id": 7}))
    plan = {"type": "oauth2", "url": f"{URL}/token", "clientId": "me", "clientSecret": "s", "refreshToken": "r"}
    answer = await ask(api, {}, {"c1": plan}, credentialId="c1")
    assert answer.value == {"id": 7}
    assert [each.url.path for each in api.asked] == ["/token", "/orders", "/token", "/orders"]
    assert b"grant_type=refresh_token" in api.asked[0].content


async def test_it_is_made_again_as_its_plan_says_with_the_same_key() -> None:
    again = {"type": "fixed", "maxRetries": 2, "baseDelaySeconds": 0}
    api = Api(httpx.Response(503), httpx.ConnectError("x"), httpx.Response(200, json=1))
    assert (await ask(api, {}, backoffPlan=again)).result == "1"
    assert len({each.headers["idempotency-key"] for each in api.asked}) == 1
    assert len(api.asked) == 3
    excluded = Api(httpx.Response(400, json={"message": "no such order"}))
    with pytest.raises(BadAnswer, match=r"status 400. It said: .*no such order"):
        await ask(excluded, {}, backoffPlan={**again, "excludedStatusCodes": [400]})
    assert len(excluded.asked) == 1


async def test_every_failure_is_said_in_one_sentence() -> None:
    with pytest.raises(BadAnswer, match="status 500"):
        await ask(Api(httpx.Response(500)), {})
    with pytest.raises(BadAnswer, match="status 302"):
        await ask(Api(httpx.Response(302, headers={"location": "http://10.0.0.1"})), {})
    with pytest.raises(ServerRefused, match="must not be reached"):
        await ask(Api(), {}, url="http://10.0.0.1/x")
    with pytest.raises(ServerUnreachable, match="could not be reached"):
        await ask(Api(httpx.ReadError("reset")), {})
    slow = {"type": "fixed", "maxRetries": 10, "baseDelaySeconds": 10}
    with pytest.raises(ServerTooSlow, match=r"within 0.2 seconds"):
        await ask(Api(httpx.Response(503)), {}, ms=200, backoffPlan=slow)


async def test_an_empty_answer_and_one_that_is_no_json_are_results() -> None:
    assert (await ask(Api(httpx.Response(204)), {})).result == "Done (status 204)."
    assert (await ask(Api(httpx.Response(200, text="on its way")), {})).result == "on its way"


async def test_variables_are_taken_from_the_answer() -> None:
    plan = {"aliases": [{"key": "city", "value": "{{ $.to.city }}"}]}
    answer = await ask(Api(httpx.Response(200, json={"to": {"city": "Bonn"}})), {}, variableExtractionPlan=plan)
    assert answer.variables == {"city": "Bonn"}
