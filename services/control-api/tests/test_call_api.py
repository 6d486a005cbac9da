"""Calls and their control as a client sees them, over HTTP; `server` is in conftest.py."""

import re
from typing import Any

import httpx

from voxbus_contracts import CallRef
from voxbus_contracts.commands import EndCall, SayOnCall
from voxbus_contracts.events import CallEnded, CallStarted, ReplyFinished
from voxbus_control_api.access import sha256_hex

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
WEBSOCKET = {"provider": "vapi.websocket"}

# --- calls -----------------------------------------------------------------------------------------------------------


async def test_a_call_is_queued_with_an_address_for_its_audio(server: Any) -> None:
    audio = {"format": "mulaw", "container": "raw", "sampleRate": 8000}
    call = await server.call(transport={**WEBSOCKET, "audioFormat": audio}, name="first", metadata={"crm": 1})
    assert UUID.fullmatch(call["id"])
    assert (call["type"], call["status"], call["orgId"]) == ("vapi.websocketCall", "queued", server.org)
    assert (call["name"], call["metadata"], call["assistant"]) == ("first", {"crm": 1}, {})
    assert call["transport"]["audioFormat"] == audio
    url = httpx.URL(call["transport"]["websocketCallUrl"])
    assert (url.scheme, url.path, url.params["org"]) == ("ws", f"/{call['id']}/transport", server.org)
    (config,) = server.bus.announced
    assert config == server.bus.configs[0]
    assert (config.transport.encoding, config.transport.sample_rate_hz) == ("mulaw", 8_000)
    assert config.attach_token_sha256 == sha256_hex(url.params["token"])
    assert url.params["token"] not in config.payload().decode()
    assert config.traceparent.startswith("00-")
    assert call.pop("subscriptionLimits")["concurrencyBlocked"] is False
    assert (await server.client.get(f"/call/{call['id']}")).json() == call


async def test_a_call_of_a_stored_assistant_with_overrides_gets_the_merged_one(server: Any) -> None:
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


async def test_secrets_reach_the_bus_sealed_only(server: Any) -> None:
    secret = {"url": "https://shop.example", "secret": "s3cret", "headers": {"authorization": "Bearer t0ken"}}
    await server.call(assistant={"server": secret})
    (config,) = server.bus.configs
    assert config.assistant.server is not None
    assert str(config.assistant.server.secret).startswith("sealed:")
    assert b"s3cret" not in config.payload()
    assert b"t0ken" not in config.payload()
    assert b"https://shop.example" in config.payload()


async def test_an_unknown_assistant_is_not_found_and_no_call_is_made(server: Any) -> None:
    response = await server.client.post("/call", json={"assistantId": "nobody", "transport": WEBSOCKET})
    assert response.status_code == 404
    assert "nobody" in response.json()["message"]
    assert (await server.client.get("/call")).json() == []
    assert not server.bus.configs


async def test_while_the_bus_is_away_no_call_is_made_and_the_client_may_try_again(server: Any) -> None:
    server.bus.away = True
    response = await server.client.post("/call", json={"assistant": {}, "transport": WEBSOCKET})
    assert response.status_code == 503
    assert response.json()["error"] == "Service Unavailable"
    assert (await server.client.get("/call")).json() == []


async def test_a_call_that_ended_shows_its_record_and_no_addresses(server: Any) -> None:
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


async def test_an_event_that_comes_after_the_end_still_gets_into_the_record(server: Any) -> None:
    call = await server.call()
    await server.happened(call["id"], CallEnded(pts_ms=1, reason="customer-ended-call"))
    assert (await server.client.get(f"/call/{call['id']}")).json()["messages"] == []
    late = ReplyFinished(reply=1, turn=0, heard="Bye.", pts_ms=1)
    await server.happened(call["id"], CallEnded(pts_ms=1, reason="customer-ended-call"), late)
    assert (await server.client.get(f"/call/{call['id']}")).json()["artifact"]["transcript"] == "AI: Bye.\n"


async def test_calls_are_listed_by_assistant_and_id(server: Any) -> None:
    assistant = (await server.client.post("/assistant", json={})).json()
    mine = await server.client.post("/call", json={"assistantId": assistant["id"], "transport": WEBSOCKET})
    other = await server.call()
    by_assistant = (await server.client.get(f"/call?assistantId={assistant['id']}")).json()
    assert [call["id"] for call in by_assistant] == [mine.json()["id"]]
    by_id = (await server.client.get(f"/call?id={other['id']}")).json()
    assert [call["id"] for call in by_id] == [other["id"]]


async def test_only_the_name_of_a_call_can_be_changed(server: Any) -> None:
    call = await server.call()
    renamed = await server.client.patch(f"/call/{call['id']}", json={"name": "new"})
    assert renamed.json()["name"] == "new"
    refused = await server.client.patch(f"/call/{call['id']}", json={"status": "ended"})
    assert refused.status_code == 400
    assert refused.json()["message"] == ["name is required", "status should not exist"]


async def test_a_deleted_call_leaves_no_words_behind(server: Any) -> None:
    call = await server.call(assistant={"firstMessage": "very private"})
    said = ReplyFinished(reply=1, turn=0, heard="very private", pts_ms=1)
    await server.happened(call["id"], said)
    server.bus.claimed = True
    deleted = await server.client.delete(f"/call/{call['id']}")
    assert deleted.json()["id"] == call["id"]
    assert server.bus.commands == [(CallRef(server.org, call["id"]), EndCall(reason="call-deleted"))]
    assert (await server.client.get(f"/call/{call['id']}")).status_code == 404
    await server.happened(call["id"], said)
    assert await server.events.of_call(call["id"]) == [], "late events are not stored anew"


# --- control ---------------------------------------------------------------------------------------------------------


async def test_the_control_address_works_without_a_key_and_for_its_call_only(server: Any) -> None:
    call, other = await server.call(), await server.call()
    url = call["monitor"]["controlUrl"]
    no_key = {"authorization": ""}
    accepted = await server.client.post(url, headers=no_key, json={"type": "say", "content": "One moment."})
    assert accepted.status_code == 200
    assert server.bus.commands == [(CallRef(server.org, call["id"]), SayOnCall(content="One moment."))]
    elsewhere = url.replace(call["id"], other["id"])
    refused = await server.client.post(elsewhere, headers=no_key, json={"type": "end-call"})
    assert refused.status_code == 401
    assert len(server.bus.commands) == 1


async def test_a_call_that_has_ended_cannot_be_controlled(server: Any) -> None:
    call = await server.call()
    await server.happened(call["id"], CallEnded(pts_ms=1, reason="customer-ended-call"))
    response = await server.client.post(f"/call/{call['id']}/control", json={"type": "end-call"})
    assert response.status_code == 409
    assert response.json()["error"] == "Conflict"
    assert not server.bus.commands


async def test_a_control_message_that_is_none_is_refused_by_field(server: Any) -> None:
    call = await server.call()
    response = await server.client.post(f"/call/{call['id']}/control", json={"type": "say"})
    assert response.status_code == 400
    assert response.json()["message"] == ["content must be a string"]
