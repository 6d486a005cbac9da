"""Which address gets a call's server messages, and with which credential."""

import pytest

from conftest import Server
from voxbus_control_api.calls.message_server import chosen_server, message_server
from voxbus_control_api.errors import BadRequest

PLAN = {"type": "hmac", "secretKey": "hush", "algorithm": "sha256"}
_CALL = {"transport": {"provider": "vapi.websocket"}}


def at(host: str) -> dict[str, dict[str, str]]:
    return {"server": {"url": f"https://{host}.example"}}


def test_the_assistants_server_comes_before_the_phone_numbers_and_that_before_the_organisations() -> None:
    assistant, number, org = at("assistant"), at("number"), at("org")
    assert chosen_server(assistant, number, org) == assistant["server"]
    assert chosen_server({}, number, org) == number["server"]
    assert chosen_server({"server": {"timeoutSeconds": 3}}, None, org) == org["server"], "a server needs an address"
    assert chosen_server({}, None, {}) is None


def test_the_older_spelling_counts_too() -> None:
    older = {"serverUrl": "https://older.example", "serverUrlSecret": "s"}
    assert chosen_server(older, at("number")) == {"url": "https://older.example", "secret": "s"}


def test_a_credential_lends_its_authentication_and_one_that_is_gone_none() -> None:
    server = {"url": "https://a.example", "credentialId": "c-1"}
    assert message_server(server, {"c-1": {"authenticationPlan": PLAN}}) == {"server": server, "authentication": PLAN}
    assert message_server(server, {}) == {"server": server, "authentication": None}
    assert message_server(None, {}) is None


def test_a_server_that_cannot_be_used_is_named() -> None:
    with pytest.raises(BadRequest) as wrong:
        message_server({"url": "https://a.example", "timeoutSeconds": "long"}, {})
    assert any("server.timeoutSeconds" in problem for problem in wrong.value.problems)


async def test_a_calls_configuration_has_its_server_with_every_secret_sealed(server: Server) -> None:
    body = {"provider": "webhook", "name": "w", "authenticationPlan": PLAN}
    credential = (await server.client.post("/credential", json=body)).json()["id"]
    asked = {"url": "https://a.example", "credentialId": credential, "headers": {"x-own": "own-value"}, "secret": "old"}
    answer = await server.client.post("/call", json={"assistant": {"server": asked}, **_CALL})
    assert answer.status_code == 201, answer.text
    (config,) = server.bus.configs
    stored = config.message_server
    assert stored is not None
    assert stored.server.url == "https://a.example"
    assert stored.authentication is not None
    assert stored.authentication["algorithm"] == "sha256"
    for secret in ("hush", "own-value", '"old"'):
        assert secret not in config.payload().decode()


async def test_a_call_of_an_assistant_without_a_server_goes_to_the_organisations(server: Server) -> None:
    changed = await server.client.patch("/org/acme", json=at("org"))
    assert changed.status_code == 200, changed.text
    await server.call()
    await server.call(assistant={"server": {"url": "https://own.example"}})
    chosen = [config.message_server.server.url for config in server.bus.configs if config.message_server]
    assert chosen == ["https://org.example", "https://own.example"]


async def test_those_without_a_server_have_the_organisations_beside_the_one_of_the_assistant_that_begins(
    server: Server,
) -> None:
    await server.client.patch("/org/acme", json={"server": {"url": "https://org.example", "secret": "hush"}})
    mute = {"assistant": {"name": "mute"}}
    older = {"assistant": {"name": "older", "serverUrl": "https://older.example"}}
    squad = {"members": [{"assistant": {"name": "first", **at("first")}}, mute, older]}
    answer = await server.client.post("/call", json={"squad": squad, **_CALL})
    assert answer.status_code == 201, answer.text
    (config,) = server.bus.configs
    servers = [config.spoken_by(key).message_server for key in ("0", "1", "2")]
    assert [each.server.url for each in servers if each] == [
        *("https://first.example", "https://org.example", "https://older.example")
    ]
    assert "hush" not in config.payload().decode()
