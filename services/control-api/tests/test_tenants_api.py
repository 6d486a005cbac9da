"""Organisations and their keys, over HTTP, on a real database."""

import re
from typing import Any

import pytest

from voxbus_control_api.database import Database
from voxbus_control_api.key_store import KeyStore

NONE = "00000000-0000-4000-8000-00000000dead"


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


async def made(server: Any, **body: Any) -> dict[str, Any]:
    response = await server.client.post("/token", json=body)
    assert response.status_code == 201, response.text
    return response.json()


async def test_a_key_is_told_once_and_opens_the_api(server: Any, database: Database) -> None:
    token = await made(server, name="deploy")
    assert (token["tag"], token["name"], token["orgId"]) == ("private", "deploy", server.org)
    listed = (await server.client.get("/token")).json()
    assert token["id"] in [each["id"] for each in listed]
    shown = (await server.client.get(f"/token/{token['id']}")).json()
    assert token["value"] not in str([listed, shown])
    assert "value" not in shown
    assert (await server.client.get("/token/self", headers=bearer(token["value"]))).json() == shown
    assert (await server.client.get("/assistant", headers=bearer(token["value"]))).status_code == 200
    async with database.read() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM keys")).all()
    assert token["value"] not in str(rows)


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": ""}, {"authorization": "Bearer"}, bearer("vb_unknown"), {"authorization": "Basic vb_mine"}],
)
async def test_without_a_valid_key_the_answer_is_401(server: Any, headers: dict[str, str]) -> None:
    response = await server.client.get("/assistant", headers={"authorization": "", **headers})
    assert response.status_code == 401
    assert response.json()["error"] == "Unauthorized"


async def test_a_key_can_be_replaced_without_a_gap(server: Any) -> None:
    old, new = await made(server), await made(server)
    soon = await server.client.patch(f"/token/{old['id']}", json={"expiresAt": "2023-11-14T22:14:20Z"})
    assert soon.json()["expiresAt"] == "2023-11-14T22:14:20.000Z"
    assert (await server.client.get("/token", headers=bearer(old["value"]))).status_code == 200
    server.clock["ms"] += 60_000
    assert (await server.client.get("/token", headers=bearer(old["value"]))).status_code == 401
    assert (await server.client.get("/token", headers=bearer(new["value"]))).status_code == 200
    assert (await server.client.delete(f"/token/{new['id']}")).status_code == 200
    assert (await server.client.get("/token", headers=bearer(new["value"]))).status_code == 401
    assert (await server.client.get(f"/token/{new['id']}")).status_code == 404


async def test_another_replica_notices_a_revoked_key_within_two_seconds(server: Any, database: Database) -> None:
    token = await made(server)
    replica, now_ms = KeyStore(database), server.clock["ms"]
    assert await replica.by_secret(token["value"], now_ms) is not None
    await server.client.delete(f"/token/{token['id']}")
    assert await replica.by_secret(token["value"], now_ms + 2_000) is None


async def test_the_last_private_key_cannot_be_revoked(server: Any) -> None:
    await made(server, tag="public")
    (own,) = [each for each in (await server.client.get("/token")).json() if each["tag"] == "private"]
    response = await server.client.delete(f"/token/{own['id']}")
    assert response.status_code == 409
    await made(server)
    assert (await server.client.delete(f"/token/{own['id']}")).status_code == 200


async def test_the_last_private_key_is_given_no_end_that_locks_its_organisation_out(server: Any) -> None:
    (own,) = (await server.client.get("/token")).json()
    ends = {name: {"expiresAt": f"{year}-01-01T00:00:00Z"} for name, year in (("past", 2000), ("soon", 2040))}
    for end in ends.values():
        assert (await server.client.patch(f"/token/{own['id']}", json=end)).status_code == 409
    other = await made(server, expiresAt="2039-01-01T00:00:00Z")
    assert (await server.client.patch(f"/token/{own['id']}", json=ends["soon"])).status_code == 409, "it ends before"
    assert (await server.client.patch(f"/token/{other['id']}", json={"expiresAt": None})).status_code == 200
    assert (await server.client.patch(f"/token/{own['id']}", json=ends["soon"])).status_code == 200


async def test_a_public_key_opens_no_route_of_private_keys(server: Any) -> None:
    public = bearer((await made(server, tag="public"))["value"])
    refused = 0
    for path, methods in server.app.openapi()["paths"].items():
        if path.startswith(("/health", "/call/web", "/chat/web")):
            continue
        for method in methods:
            url = re.sub(r"\{[^}]*\}", NONE, path)
            response = await server.client.request(method, url, headers=public, json={})
            assert response.status_code == 403, f"{method} {path}: {response.status_code}"
            refused += 1
    assert refused >= 20


async def test_restrictions_are_checked_and_echoed(server: Any) -> None:
    restrictions = {"allowedOrigins": ["https://shop.example"], "allowTransientAssistant": False}
    token = await made(server, tag="public", restrictions=restrictions)
    assert token["restrictions"] == restrictions
    wrong = {"tag": "public", "restrictions": {"allowedOrigins": "x", "allowedAssistantIds": [1]}, "nmae": "x"}
    response = await server.client.post("/token", json=wrong)
    assert response.status_code == 400
    said = " ".join(response.json()["message"])
    assert "restrictions.allowedOrigins" in said
    assert "restrictions.allowedAssistantIds.0" in said
    assert "nmae" in said
    private = await server.client.post("/token", json={"restrictions": {}})
    assert private.status_code == 400


async def test_keys_of_others_are_not_there(server: Any) -> None:
    token = await made(server, name="mine")
    for method in ("GET", "PATCH", "DELETE"):
        response = await server.client.request(method, f"/token/{token['id']}", headers=server.theirs, json={})
        assert response.status_code == 404
    wrong = await server.client.patch(f"/token/{token['id']}", headers=server.theirs, json={"nmae": "x"})
    assert wrong.status_code == 404, "a wrong body does not tell that somebody has it"
    assert token["id"] not in str((await server.client.get("/token", headers=server.theirs)).json())
    stolen = await server.client.post("/token", headers=server.theirs, json={"orgId": server.org})
    assert stolen.status_code == 403


async def test_the_operator_makes_an_organisation_and_its_first_key(server: Any) -> None:
    refused = await server.client.post("/org", json={"name": "New"})
    assert refused.status_code == 403
    org = (
        await server.client.post("/org", headers=server.operator, json={"name": "New", "concurrencyLimit": 3})
    ).json()
    assert (org["name"], org["concurrencyLimit"]) == ("New", 3)
    key = await server.client.post("/token", headers=server.operator, json={"orgId": org["id"]})
    theirs = bearer(key.json()["value"])
    assert [each["id"] for each in (await server.client.get("/org", headers=theirs)).json()] == [org["id"]]
    assert (await server.client.get("/assistant", headers=theirs)).json() == []
    assert len((await server.client.get("/org", headers=server.operator)).json()) == 4
    wrong = await server.client.post("/token", headers=server.operator, json={"orgId": NONE})
    assert wrong.status_code == 400


async def test_a_tenant_names_its_organisation_and_cannot_lift_its_limit(server: Any) -> None:
    url = f"/org/{server.org}"
    assert (await server.client.get(url)).json()["concurrencyLimit"] == 100
    changed = await server.client.patch(url, json={"name": "Acme", "server": {"url": "https://a.example"}})
    assert changed.json()["server"] == {"url": "https://a.example"}
    assert (await server.client.patch(url, json={"concurrencyLimit": 1_000})).status_code == 403
    lifted = await server.client.patch(url, headers=server.operator, json={"concurrencyLimit": 200})
    assert (lifted.json()["concurrencyLimit"], lifted.json()["name"]) == (200, "Acme")
    assert (await server.client.patch(url, headers=server.theirs, json={"name": "x"})).status_code == 404
    assert (await server.client.get(url, headers=server.theirs)).status_code == 404


async def test_too_many_requests_are_told_when_to_come_again(server: Any) -> None:
    server.rate_limit.per_s, server.rate_limit.burst = 0.5, 2
    first = await server.client.get("/assistant")
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("2", "1")
    await server.client.get("/assistant")
    refused = await server.client.get("/assistant")
    assert refused.status_code == 429
    assert refused.json()["error"] == "Too Many Requests"
    assert (refused.headers["Retry-After"], refused.headers["X-RateLimit-Remaining"]) == ("2", "0")
    assert (await server.client.get("/assistant", headers=server.theirs)).status_code == 200
    server.clock["ms"] += 2_000
    assert (await server.client.get("/assistant")).status_code == 200


async def test_a_page_may_ask_whether_it_may_call(server: Any) -> None:
    asks = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    asks["access-control-request-headers"] = "authorization,content-type"
    response = await server.client.options("/call/web", headers=asks)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    answered = await server.client.get("/assistant", headers={"origin": "https://shop.example"})
    assert answered.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "status"), [("/assistant/%00", 404), ("/assistant?limit=1&x=%00", 400), ("/token/%00", 404)]
)
async def test_the_character_nul_is_no_servers_fault(server: Any, path: str, status: int) -> None:
    assert (await server.client.get(path)).status_code == status
    response = await server.client.post(
        "/call", json={"assistantId": "\x00", "transport": {"provider": "vapi.websocket"}}
    )
    assert response.status_code == 404
