"""The API as a client sees it: over HTTP, on a real database, with a bus that only listens."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_contracts import CallRef, Command
from voxbus_contracts.commands import EndCall, SayOnCall
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import CallEnded, CallStarted, ReplyFinished
from voxbus_control_api.access import Addresses, sha256_hex
from voxbus_control_api.assistant_store import AssistantStore
from voxbus_control_api.call_store import CallStore
from voxbus_control_api.database import open_database
from voxbus_control_api.errors import Unavailable
from voxbus_control_api.event_store import EventRow, EventStore
from voxbus_control_api.http.api import Api
from voxbus_control_api.http.app import create_app
from voxbus_control_api.key_store import KeyStore

ORG, OTHER_ORG = "acme", "globex"
KEY, OTHER_KEY = "vb_mine", "vb_theirs"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
WEBSOCKET = {"provider": "vapi.websocket"}


class Listening:
    """A bus in memory."""

    def __init__(self) -> None:
        self.configs: list[CallConfig] = []
        self.announced: list[CallConfig] = []
        self.commands: list[tuple[CallRef, Command]] = []
        self.claimed = False
        self.away = False

    async def store_config(self, config: CallConfig) -> None:
        if self.away:
            raise Unavailable("the bus does not answer; try again")
        self.configs.append(config)

    async def announce(self, config: CallConfig) -> None:
        self.announced.append(config)

    async def command(self, ref: CallRef, command: Command) -> None:
        self.commands.append((ref, command))

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool:
        return not self.claimed


@dataclass
class Server:
    """What a test may touch."""

    client: httpx.AsyncClient
    bus: Listening
    events: EventStore
    clock: dict[str, int] = field(default_factory=lambda: {"ms": 1_700_000_000_000})

    async def call(self, **more: Any) -> dict[str, Any]:
        response = await self.client.post("/call", json={"assistant": {}, "transport": WEBSOCKET, **more})
        assert response.status_code == 201, response.text
        return response.json()

    async def happened(self, call_id: str, *messages: Any) -> None:
        for seq, message in enumerate(messages, start=1):
            row = EventRow(
                event_id=f"{call_id}.{seq}",
                call=call_id,
                stream_seq=seq,
                name=message.name(),
                stage="llm-orchestrator",
                epoch=1,
                number=seq,
                occurred_at_ms=self.clock["ms"] + seq,
                payload=message.payload().decode(),
            )
            await self.events.add(row)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    database = await open_database(tmp_path / "control.db")
    keys, events = KeyStore(database), EventStore(database)
    await keys.add(KEY, ORG, 1)
    await keys.add(OTHER_KEY, OTHER_ORG, 1)
    bus = Listening()
    clock = {"ms": 1_700_000_000_000}
    numbers = iter(range(1, 1000))
    api = Api(
        keys=keys,
        assistants=AssistantStore(database),
        calls=CallStore(database, events),
        bus=bus,
        addresses=Addresses(b"secret", "ws://media:8081", "http://api:8080"),
        cluster_key=SecretStr(Fernet.generate_key().decode()),
        join_timeout_ms=20_000,
        max_body_bytes=100_000,
        now_ms=lambda: clock["ms"],
        new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012x}",
        new_traceparent=lambda: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        health=lambda: {"status": "ok"},
    )
    transport = httpx.ASGITransport(create_app(api, structlog.get_logger()))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api:8080", headers={"authorization": f"Bearer {KEY}"}
    ) as client:
        yield Server(client, bus, events, clock)
    await database.close()


THEIRS = {"authorization": f"Bearer {OTHER_KEY}"}

# --- assistants ------------------------------------------------------------------------------------------------------


async def test_an_assistant_is_given_back_as_it_was_posted(server: Server) -> None:
    posted = {
        "name": "Riley",
        "model": {"provider": "openai", "model": "gpt-4.1", "messages": [{"role": "system", "content": "Grüezi 👋"}]},
        "voice": {"provider": "11labs", "voiceId": "x", "stability": 0.5},
        "serverUrl": "https://shop.example/hook",
        "backchannelingEnabled": True,
        "somethingNew": {"deep": [1, None, 2.5]},
    }
    created = await server.client.post("/assistant", json=posted)
    assert created.status_code == 201
    body = created.json()
    assert {name: body[name] for name in posted} == posted
    assert UUID.fullmatch(body["id"])
    assert body["orgId"] == ORG
    assert STAMP.fullmatch(body["createdAt"])
    assert body["updatedAt"] == body["createdAt"]
    assert (await server.client.get(f"/assistant/{body['id']}")).json() == body
    assert (await server.client.get("/assistant")).json() == [body]


async def test_patching_replaces_the_fields_given_and_null_takes_one_away(server: Server) -> None:
    created = (await server.client.post("/assistant", json={"name": "A", "firstMessage": "Hi", "model": {}})).json()
    server.clock["ms"] += 5
    patched = await server.client.patch(f"/assistant/{created['id']}", json={"name": "B", "firstMessage": None})
    assert patched.status_code == 200
    body = patched.json()
    assert (body["name"], body["model"]) == ("B", {})
    assert "firstMessage" not in body
    assert body["updatedAt"] > body["createdAt"]
    refused = await server.client.patch(f"/assistant/{created['id']}", json={"model": {"maxTokens": 1}})
    assert refused.status_code == 400
    assert (await server.client.get(f"/assistant/{created['id']}")).json() == body, "a refused patch changes nothing"


async def test_deleting_gives_the_deleted_back_and_then_it_is_gone(server: Server) -> None:
    created = (await server.client.post("/assistant", json={"name": "A"})).json()
    assert (await server.client.delete(f"/assistant/{created['id']}")).json() == created
    assert (await server.client.get(f"/assistant/{created['id']}")).status_code == 404
    assert (await server.client.delete(f"/assistant/{created['id']}")).status_code == 404


async def test_lists_are_bare_arrays_newest_first_filtered_and_limited(server: Server) -> None:
    for name in "abc":
        await server.client.post("/assistant", json={"name": name})
        server.clock["ms"] += 1_000

    async def names(query: str = "") -> list[str]:
        return [each["name"] for each in (await server.client.get(f"/assistant{query}")).json()]

    assert await names() == ["c", "b", "a"]
    assert await names("?limit=2") == ["c", "b"]
    assert await names("?createdAtGt=2023-11-14T22:13:20.000Z") == ["c", "b"]
    assert await names("?createdAtGe=2023-11-14T22:13:20.000Z&createdAtLt=2023-11-14T22:13:22Z") == ["b", "a"]
    assert await names("?limit=0") == []


# --- who may, and what is wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [{"authorization": ""}, {"authorization": "Bearer wrong"}, {"authorization": KEY}])
async def test_without_a_valid_key_nothing_is_answered(server: Server, header: dict[str, str]) -> None:
    for method, path in (("GET", "/assistant"), ("POST", "/call"), ("GET", "/call/x"), ("POST", "/call/x/control")):
        response = await server.client.request(method, path, headers=header, json={})
        assert response.status_code == 401
        assert response.json()["error"] == "Unauthorized"
        assert response.json()["statusCode"] == 401
        assert "wrong" not in response.text


async def test_one_organisation_never_sees_anothers(server: Server) -> None:
    assistant = (await server.client.post("/assistant", json={"name": "A"})).json()
    call = await server.call()
    for path in (f"/assistant/{assistant['id']}", f"/call/{call['id']}"):
        for method in ("GET", "PATCH", "DELETE"):
            response = await server.client.request(method, path, headers=THEIRS, json={"name": "x"})
            assert response.status_code == 404, (method, path)
    for path in ("/assistant", "/call"):
        assert (await server.client.get(path, headers=THEIRS)).json() == []
    body = {"assistantId": assistant["id"], "transport": WEBSOCKET}
    assert (await server.client.post("/call", headers=THEIRS, json=body)).status_code == 404
    control = await server.client.post(f"/call/{call['id']}/control", headers=THEIRS, json={"type": "end-call"})
    assert control.status_code == 404


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"name": ', "body must be valid JSON: Expecting value at line 1 column 10"),
        (b"", "body must be valid JSON"),
        (b"[]", "body must be an object"),
        (b'"x"', "body must be an object"),
        (b'{"metadata": {"x": NaN}}', "body must be valid JSON"),
        (b'{"name": "\xff"}', "body must be UTF-8"),
        (b'{"name": "\\ud800"}', "body must be UTF-8 without lone surrogates"),
        (b"[" * 50_000, "body must be valid JSON"),
    ],
)
async def test_a_malformed_body_is_a_bad_request_that_says_where(server: Server, content: bytes, told: str) -> None:
    response = await server.client.post("/assistant", content=content)
    body = response.json()
    assert response.status_code == 400
    assert (body["error"], body["statusCode"]) == ("Bad Request", 400)
    assert len(body["message"]) == 1
    assert told in body["message"][0]


async def test_validation_errors_are_an_array_with_every_field(server: Server) -> None:
    body = {"name": "x" * 41, "model": {"maxTokens": 1, "temperature": 3}}
    response = await server.client.post("/assistant", json=body)
    assert response.status_code == 400
    assert response.json() == {
        "message": [
            "name must have at most 40 characters",
            "model.temperature must be less than or equal to 2",
            "model.maxTokens must be greater than or equal to 50",
        ],
        "error": "Bad Request",
        "statusCode": 400,
    }


async def test_a_body_that_is_too_long_is_refused(server: Server) -> None:
    response = await server.client.post("/assistant", json={"firstMessage": "x" * 200_000})
    assert response.status_code == 413
    assert response.json()["error"] == "Payload Too Large"


async def test_unknown_paths_and_methods_have_the_same_shape(server: Server) -> None:
    for method, path in (("GET", "/nowhere"), ("PUT", "/assistant"), ("GET", "/assistant/")):
        response = await server.client.request(method, path)
        assert response.status_code == 404
        assert response.json() == {"message": f"Cannot {method} {path}", "error": "Not Found", "statusCode": 404}


# --- calls -----------------------------------------------------------------------------------------------------------


async def test_a_call_is_queued_with_an_address_for_its_audio(server: Server) -> None:
    audio = {"format": "mulaw", "container": "raw", "sampleRate": 8000}
    call = await server.call(transport={**WEBSOCKET, "audioFormat": audio}, name="first", metadata={"crm": 1})
    assert UUID.fullmatch(call["id"])
    assert (call["type"], call["status"], call["orgId"]) == ("vapi.websocketCall", "queued", ORG)
    assert (call["name"], call["metadata"], call["assistant"]) == ("first", {"crm": 1}, {})
    assert call["transport"]["audioFormat"] == audio
    url = httpx.URL(call["transport"]["websocketCallUrl"])
    assert (url.scheme, url.path, url.params["org"]) == ("ws", f"/{call['id']}/transport", ORG)
    (config,) = server.bus.announced
    assert config == server.bus.configs[0]
    assert (config.transport.encoding, config.transport.sample_rate_hz) == ("mulaw", 8_000)
    assert config.attach_token_sha256 == sha256_hex(url.params["token"])
    assert url.params["token"] not in config.payload().decode()
    assert config.traceparent.startswith("00-")
    assert (await server.client.get(f"/call/{call['id']}")).json() == call


async def test_a_call_of_a_stored_assistant_with_overrides_gets_the_merged_one(server: Server) -> None:
    stored = {"firstMessage": "Hello", "model": {"temperature": 0.1}}
    assistant = (await server.client.post("/assistant", json=stored)).json()
    overrides = {"model": {"temperature": 0.7}, "variableValues": {"name": "Ann"}}
    response = await server.client.post(
        "/call", json={"assistantId": assistant["id"], "assistantOverrides": overrides, "transport": WEBSOCKET}
    )
    assert response.status_code == 201
    (config,) = server.bus.configs
    assert config.assistant_id == assistant["id"]
    assert (config.assistant.first_message, config.assistant.model.temperature) == ("Hello", 0.7)
    assert config.variables == {"name": "Ann"}
    assert response.json()["assistantOverrides"] == overrides


async def test_secrets_reach_the_bus_sealed_only(server: Server) -> None:
    secret = {"url": "https://shop.example", "secret": "s3cret", "headers": {"authorization": "Bearer t0ken"}}
    await server.call(assistant={"server": secret})
    (config,) = server.bus.configs
    assert config.assistant.server is not None
    assert str(config.assistant.server.secret).startswith("sealed:")
    assert b"s3cret" not in config.payload()
    assert b"t0ken" not in config.payload()
    assert b"https://shop.example" in config.payload()


async def test_an_unknown_assistant_is_not_found_and_no_call_is_made(server: Server) -> None:
    response = await server.client.post("/call", json={"assistantId": "nobody", "transport": WEBSOCKET})
    assert response.status_code == 404
    assert "nobody" in response.json()["message"]
    assert (await server.client.get("/call")).json() == []
    assert not server.bus.configs


async def test_while_the_bus_is_away_no_call_is_made_and_the_client_may_try_again(server: Server) -> None:
    server.bus.away = True
    response = await server.client.post("/call", json={"assistant": {}, "transport": WEBSOCKET})
    assert response.status_code == 503
    assert response.json()["error"] == "Service Unavailable"
    assert (await server.client.get("/call")).json() == []


async def test_a_call_that_ended_shows_its_record_and_no_addresses(server: Server) -> None:
    call = await server.call()
    await server.happened(call["id"], CallStarted(pts_ms=0, setup_ms=1))
    running = (await server.client.get(f"/call/{call['id']}")).json()
    assert running["status"] == "in-progress"
    assert running["transport"]["websocketCallUrl"] == call["transport"]["websocketCallUrl"]
    await server.happened(
        call["id"],
        CallStarted(pts_ms=0, setup_ms=1),
        ReplyFinished(reply=1, turn=0, heard="Hello.", pts_ms=900),
        CallEnded(pts_ms=1_000, reason="customer-ended-call"),
    )
    for _ in range(2):
        ended = (await server.client.get(f"/call/{call['id']}")).json()
        assert (ended["status"], ended["endedReason"]) == ("ended", "customer-ended-call")
        assert ended["artifact"]["transcript"] == "AI: Hello.\n"
        assert "websocketCallUrl" not in ended["transport"]
        assert "monitor" not in ended


async def test_an_event_that_comes_after_the_end_still_gets_into_the_record(server: Server) -> None:
    call = await server.call()
    await server.happened(call["id"], CallEnded(pts_ms=1, reason="customer-ended-call"))
    assert (await server.client.get(f"/call/{call['id']}")).json()["messages"] == []
    late = ReplyFinished(reply=1, turn=0, heard="Bye.", pts_ms=1)
    await server.happened(call["id"], CallEnded(pts_ms=1, reason="customer-ended-call"), late)
    assert (await server.client.get(f"/call/{call['id']}")).json()["artifact"]["transcript"] == "AI: Bye.\n"


async def test_calls_are_listed_by_assistant_and_id(server: Server) -> None:
    assistant = (await server.client.post("/assistant", json={})).json()
    mine = await server.client.post("/call", json={"assistantId": assistant["id"], "transport": WEBSOCKET})
    other = await server.call()
    by_assistant = (await server.client.get(f"/call?assistantId={assistant['id']}")).json()
    assert [call["id"] for call in by_assistant] == [mine.json()["id"]]
    by_id = (await server.client.get(f"/call?id={other['id']}")).json()
    assert [call["id"] for call in by_id] == [other["id"]]


async def test_only_the_name_of_a_call_can_be_changed(server: Server) -> None:
    call = await server.call()
    renamed = await server.client.patch(f"/call/{call['id']}", json={"name": "new"})
    assert renamed.json()["name"] == "new"
    refused = await server.client.patch(f"/call/{call['id']}", json={"status": "ended"})
    assert refused.status_code == 400
    assert refused.json()["message"] == ["name is required", "status should not exist"]


async def test_a_deleted_call_leaves_no_words_behind(server: Server, tmp_path: Path) -> None:
    call = await server.call(assistant={"firstMessage": "very private"})
    said = ReplyFinished(reply=1, turn=0, heard="very private", pts_ms=1)
    await server.happened(call["id"], said)
    server.bus.claimed = True
    deleted = await server.client.delete(f"/call/{call['id']}")
    assert deleted.json()["id"] == call["id"]
    assert server.bus.commands == [(CallRef(ORG, call["id"]), EndCall(reason="call-deleted"))]
    assert (await server.client.get(f"/call/{call['id']}")).status_code == 404
    await server.happened(call["id"], said)
    assert await server.events.of_call(call["id"]) == [], "late events are not stored anew"


# --- control ---------------------------------------------------------------------------------------------------------


async def test_the_control_address_works_without_a_key_and_for_its_call_only(server: Server) -> None:
    call, other = await server.call(), await server.call()
    url = call["monitor"]["controlUrl"]
    no_key = {"authorization": ""}
    accepted = await server.client.post(url, headers=no_key, json={"type": "say", "content": "One moment."})
    assert accepted.status_code == 200
    assert server.bus.commands == [(CallRef(ORG, call["id"]), SayOnCall(content="One moment."))]
    elsewhere = url.replace(call["id"], other["id"])
    refused = await server.client.post(elsewhere, headers=no_key, json={"type": "end-call"})
    assert refused.status_code == 401
    assert len(server.bus.commands) == 1


async def test_a_call_that_has_ended_cannot_be_controlled(server: Server) -> None:
    call = await server.call()
    await server.happened(call["id"], CallEnded(pts_ms=1, reason="customer-ended-call"))
    response = await server.client.post(f"/call/{call['id']}/control", json={"type": "end-call"})
    assert response.status_code == 409
    assert response.json()["error"] == "Conflict"
    assert not server.bus.commands


async def test_a_control_message_that_is_none_is_refused_by_field(server: Server) -> None:
    call = await server.call()
    response = await server.client.post(f"/call/{call['id']}/control", json={"type": "say"})
    assert response.status_code == 400
    assert response.json()["message"] == ["content must be a text"]


# --- operation -------------------------------------------------------------------------------------------------------


async def test_the_api_describes_itself(server: Server) -> None:
    described = (await server.client.get("/api-json", headers={"authorization": ""})).json()
    assert {"/assistant", "/assistant/{assistant_id}", "/call", "/call/{call_id}", "/health"} <= set(described["paths"])
    post = described["paths"]["/assistant"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "firstMessage" in json.dumps(post)
    assert (await server.client.get("/docs", headers={"authorization": ""})).status_code == 200
    assert (await server.client.get("/health", headers={"authorization": ""})).json() == {"status": "ok"}
