"""A token that a customer's server does not take any more is fetched again, once."""

from typing import Any

import httpx
import pytest
from test_api_request import REF, URL, Api, ask

from voxbus_contracts.api_model import Server
from voxbus_contracts.config import MessageServer
from voxbus_contracts.delivery import SERVER, Delivery, Place
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_tool_runner.deliveries.posting import Poster
from voxbus_tool_runner.errors import BadAnswer

TOKEN = httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
REFUSED = httpx.Response(401)
PLAN = {"type": "oauth2", "url": f"{URL}/token", "clientId": "me", "clientSecret": "s"}
TOLD = {"url": f"{URL}/hook", "credentialId": "c1"}


async def function(api: Api, plan: dict[str, Any]) -> str | None:
    answer = await ask(api, {}, {"c1": plan}, type="function", function={"name": "orders"}, server=TOLD)
    return answer.result


async def posted(api: Api, plan: dict[str, Any]) -> tuple[int, str]:
    client = customer_client(Guard.parse("127.0.0.0/8"), inner=httpx.MockTransport(api))
    to = MessageServer(server=Server.model_validate(TOLD), authentication=plan)
    outcome = await Poster(client, None).post(to, Delivery(REF, SERVER, "hang", Place(1, 0), 1, b'{"message":{}}'))
    return outcome.status, outcome.code


def paths(api: Api) -> list[str]:
    return [each.url.path for each in api.asked]


async def test_a_tools_server_is_asked_again_with_the_new_one_and_the_same_key() -> None:
    found = httpx.Response(200, json={"results": [{"toolCallId": "call_1_1", "result": "ships"}]})
    api = Api(TOKEN, REFUSED, TOKEN, found)
    assert await function(api, PLAN) == "ships"
    assert paths(api) == ["/token", "/hook", "/token", "/hook"]
    assert api.asked[1].headers["idempotency-key"] == api.asked[3].headers["idempotency-key"]


async def test_a_message_is_sent_again_with_the_new_one() -> None:
    api = Api(TOKEN, REFUSED, TOKEN, httpx.Response(200))
    assert await posted(api, PLAN) == (200, "")
    assert paths(api) == ["/token", "/hook", "/token", "/hook"]


async def test_one_that_is_refused_again_is_refused() -> None:
    api = Api(TOKEN, REFUSED, TOKEN, REFUSED)
    assert await posted(api, PLAN) == (401, "server-bad-status")
    assert len(api.asked) == 4
    api = Api(TOKEN, REFUSED, TOKEN, REFUSED)
    with pytest.raises(BadAnswer, match="status 401"):
        await function(api, PLAN)
    assert len(api.asked) == 4


async def test_what_nobody_fetched_is_not_tried_twice() -> None:
    api = Api(REFUSED)
    assert await posted(api, {"type": "bearer", "token": "t0p"}) == (401, "server-bad-status")
    assert len(api.asked) == 1
