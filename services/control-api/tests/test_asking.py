"""A customer's server that is asked something, by a token that it does not take any more."""

import httpx
import pytest

from voxbus_contracts.api_model import Server
from voxbus_control_api.messages.asking import NoAnswer, Question, ServerAsker
from voxbus_runtime.server_access import ServerAccess

HOOK = "https://shop.example/hook"
PLAN = {"type": "oauth2", "url": "https://shop.example/token", "clientId": "me", "clientSecret": "s"}


class Shop:
    """Gives out tokens t1, t2, …, and takes only the one it is told to."""

    def __init__(self, takes: str) -> None:
        self.takes, self.given, self.asked = f"Bearer {takes}", 0, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            self.given += 1
            return httpx.Response(200, json={"access_token": f"t{self.given}", "expires_in": 3600})
        self.asked += 1
        is_taken = request.headers["authorization"] == self.takes
        return httpx.Response(200 if is_taken else 401, json={"assistantId": "a"})

    async def ask(self) -> object:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as client:
            server = Server.model_validate({"url": HOOK, "credentialId": "c1"})
            question = Question(server, PLAN, {"type": "assistant-request"}, "call-1", "id-1", 5)
            return await ServerAsker(client, ServerAccess(client, None)).ask(question)


async def test_another_token_is_fetched_once() -> None:
    shop = Shop(takes="t2")
    assert await shop.ask() == {"assistantId": "a"}
    assert (shop.given, shop.asked) == (2, 2)


async def test_a_server_that_takes_none_is_not_asked_for_ever() -> None:
    shop = Shop(takes="nothing")
    with pytest.raises(NoAnswer, match="status 401"):
        await shop.ask()
    assert (shop.given, shop.asked) == (2, 2)
