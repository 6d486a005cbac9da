"""What a server is told of sessions, chats and deleted calls."""

import json
from typing import Any

import pytest
import structlog
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_contracts import CallRef
from voxbus_contracts.config import CallConfig
from voxbus_contracts.delivery import Delivery, Place
from voxbus_control_api.messages.record_messages import RecordTeller
from voxbus_control_api.resource_store import Resource
from voxbus_runtime.sealing import open_seal

KEY = SecretStr(Fernet.generate_key().decode())
ID = "0198a3c2-7b1e-7c55-9f3e-5d2a6b4c8d0e"
REF = CallRef("acme", ID)
SERVER = {"url": "https://a.example/hook", "secret": "s3cret"}
WANTS = ["session.created", "session.updated", "session.deleted", "chat.created", "call.deleted"]


class World:
    """Configurations and the stream of deliveries in memory."""

    def __init__(self) -> None:
        self.configs: dict[CallRef, CallConfig] = {}
        self.sent: list[Delivery] = []
        self.org: dict[str, Any] = {}
        self.is_away = False
        self.overtaken = 0
        self.teller = RecordTeller(self, self, self, KEY, lambda: 5_000, structlog.get_logger())

    async def get(self, org: str, kind: str, resource_id: str) -> Resource | None:
        return Resource(org, kind, resource_id, 1, 1, {"authenticationPlan": {"type": "bearer", "token": "t"}})

    async def org_body(self, org: str) -> dict[str, Any]:
        return self.org

    async def store_config(self, config: CallConfig) -> None:
        if self.is_away:
            raise ConnectionError
        self.configs[config.ref] = config

    async def stored_config(self, ref: CallRef) -> CallConfig | None:
        return self.configs.get(ref)

    async def newest(self, subject: str) -> tuple[int, Place | None]:
        own = [each for each in self.sent if each.subject == subject]
        return (len(self.sent), own[-1].place) if own else (0, None)

    async def put(self, delivery: Delivery) -> int | None:
        if self.overtaken:
            self.overtaken -= 1
            return None
        self.sent.append(delivery)
        return len(self.sent)

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(each.body)["message"] for each in self.sent]


def session(**assistant: Any) -> Resource:
    body = {"status": "active", "_assistant": {"server": SERVER, "serverMessages": WANTS, **assistant}, "_lines": []}
    return Resource("acme", "session", ID, 1, 1, body)


async def test_a_session_is_told_of_in_order_with_the_servers_secret_sealed() -> None:
    world = World()
    for what in ("created", "updated", "deleted"):
        await world.teller.of_resource(session(), what)
    assert [each["type"] for each in world.messages()] == [
        f"session.{what}" for what in ("created", "updated", "deleted")
    ]
    assert world.messages()[0]["session"]["id"] == ID
    assert "_assistant" not in world.messages()[0]["session"]
    assert [each.place.stream_seq for each in world.sent] == [1, 2, 3]
    assert [each.previous_seq for each in world.sent] == [0, 1, 2]
    told_to = world.configs[REF].message_server
    assert told_to is not None
    assert "s3cret" not in world.configs[REF].payload().decode()
    assert open_seal(told_to.server.secret or "", KEY) == "s3cret"


@pytest.mark.parametrize("assistant", [{"serverMessages": ["chat.created"]}, {"serverMessages": None}, {"server": {}}])
async def test_nothing_is_told_that_nobody_wants_or_that_has_no_address(assistant: dict[str, Any]) -> None:
    world = World()
    await world.teller.of_resource(session(**assistant), "created")
    assert not world.sent


async def test_the_organisations_server_and_its_credential_stand_in() -> None:
    world = World()
    world.org = {"server": {"url": "https://org.example", "credentialId": "c-1"}}
    await world.teller.of_resource(session(server=None), "created")
    told_to = world.configs[REF].message_server
    assert told_to is not None
    assert told_to.server.url == "https://org.example"
    assert (told_to.authentication or {})["type"] == "bearer"


async def test_whoever_is_overtaken_tries_again_and_a_bus_that_is_away_bothers_nobody() -> None:
    world = World()
    world.overtaken = 1
    await world.teller.of_resource(session(), "created")
    assert len(world.sent) == 1
    away = World()
    away.is_away = True
    await away.teller.of_resource(session(), "created")
    assert not away.sent


async def test_a_chats_configuration_is_kept_but_for_the_server_it_gets() -> None:
    world = World()
    world.configs[REF] = CallConfig(org="acme", call=ID, created_at_ms=7, call_type="chat", traceparent="00-1")
    chat = Resource("acme", "chat", ID, 1, 1, session().body)
    await world.teller.of_resource(chat, "created")
    assert (world.configs[REF].created_at_ms, world.configs[REF].traceparent) == (7, "00-1")
    assert world.messages()[0]["chat"]["id"] == ID


async def test_a_deleted_call_is_told_of_last() -> None:
    world = World()
    tree = {"server": SERVER, "serverMessages": WANTS}
    given = {"org": "acme", "call": ID, "created_at_ms": 1, "assistant": tree, "message_server": {"server": SERVER}}
    world.configs[REF] = CallConfig.model_validate(given)
    await world.teller.call_deleted(REF)
    assert world.messages() == [{"type": "call.deleted", "timestamp": 5_000, "call": {"id": ID, "orgId": "acme"}}]
    await world.teller.call_deleted(CallRef("acme", "0198a3c2-7b1e-7c55-9f3e-5d2a6b4c8d0f"))
    assert len(world.sent) == 1
