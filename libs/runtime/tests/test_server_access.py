"""Tokens of customers' authorization servers: fetched once, and replaced once for all who were refused with one."""

import asyncio
from ipaddress import ip_network

from voxbus_contracts.api_model import Server
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.server_access import ServerAccess
from voxbus_runtime.signing import Signed
from voxbus_testing.token_server import TokenServer

NOTHING = Signed("", b"", "", 0)


async def test_calls_that_share_a_token_share_its_fetching_and_its_replacement() -> None:
    client = customer_client(Guard((ip_network("127.0.0.0/8"),)))
    access = ServerAccess(client, None)

    async def shown() -> str:
        return (await access.headers(Server(url="https://a.example"), issuer.plan, NOTHING))["authorization"]

    async with TokenServer() as issuer:
        assert await asyncio.gather(*(shown() for _ in range(5))) == ["Bearer t-1"] * 5
        assert access.renews(issuer.plan, 401)
        renewing = asyncio.create_task(shown())
        assert access.renews(issuer.plan, 401), "while the new one is fetched"
        assert await renewing == "Bearer t-2"
        assert access.renews(issuer.plan, 401), "an answer to a request with the old one"
        assert await shown() == "Bearer t-2"
        assert not access.renews(issuer.plan, 403)
    await client.aclose()


async def test_who_never_had_a_token_does_not_ask_again() -> None:
    client = customer_client(Guard())
    access = ServerAccess(client, None)
    assert not access.renews({"type": "oauth2", "url": "https://a.example"}, 401)
    assert not access.renews({"type": "bearer", "token": "t"}, 401)
    assert not access.renews(None, 401)
    await client.aclose()
