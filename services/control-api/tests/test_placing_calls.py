"""Phone calls, batches, squads, web calls and requests that come twice, over HTTP; `server` is in conftest.py."""

from typing import Any

import pytest

from voxbus_control_api.secret_names import MASK

WEBSOCKET = {"provider": "vapi.websocket"}
ANN, BOB = "+14155551234", "+14155555678"


async def phone(server: Any, **body: Any) -> dict[str, Any]:
    """An answer to a phone call from a stored number."""
    given = {"assistant": {}, "phoneNumberId": "number-1", "customer": {"number": ANN}, **body}
    answer = await server.client.post("/call", json={name: value for name, value in given.items() if value is not None})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
async def with_number(server: Any) -> Any:
    await server.store("phone-number", "number-1", provider="vonage", number="+493012345", assistantId="assistant-1")
    await server.store("assistant", "assistant-1", firstMessage="Hello")
    return server


async def test_a_phone_call_is_stored_and_shown_with_who_would_have_carried_it(with_number: Any) -> None:
    call = await phone(with_number, name="dunning")
    assert (call["type"], call["status"]) == ("outboundPhoneCall", "queued")
    assert (call["phoneCallProvider"], call["phoneCallTransport"]) == ("vonage", "pstn")
    assert (call["customer"], call["phoneNumberId"], call["name"]) == ({"number": ANN}, "number-1", "dunning")
    assert "websocketCallUrl" not in call["transport"]
    listed = await with_number.client.get("/call?phoneNumberId=number-1")
    assert [each["id"] for each in listed.json()] == [call["id"]]
    assert (await with_number.client.get("/call?phoneNumberId=another")).json() == []


async def test_the_phone_numbers_assistant_speaks_when_the_request_names_none(with_number: Any) -> None:
    await phone(with_number, assistant=None)
    (config,) = with_number.bus.configs
    assert (config.assistant_id, config.assistant.first_message) == ("assistant-1", "Hello")
    assert config.variables["customer"] == {"number": ANN, "numberE164CheckEnabled": True}
    await with_number.store("phone-number", "mute", provider="twilio", number="+1")
    body = {"phoneNumberId": "mute", "customer": {"number": ANN}}
    refused = await with_number.client.post("/call", json=body)
    assert refused.status_code == 400
    assert "the phone number has none either" in refused.json()["message"][0]


async def test_what_opens_an_account_at_a_carrier_is_neither_stored_nor_answered(server: Any) -> None:
    number = {"twilioPhoneNumber": "+15550001111", "twilioAccountSid": "AC1", "twilioAuthToken": "t0ps3cret"}
    call = await phone(server, phoneNumberId=None, phoneNumber=number)
    assert call["phoneNumber"] == {**number, "twilioAuthToken": MASK}
    again = await server.client.get(f"/call/{call['id']}")
    assert "t0ps3cret" not in again.text
    assert not any(b"t0ps3cret" in config.payload() for config in server.bus.configs)


async def test_a_phone_number_that_is_not_there_is_not_found(server: Any) -> None:
    body = {"assistant": {}, "phoneNumberId": "nobody", "customer": {"number": ANN}}
    response = await server.client.post("/call", json=body)
    assert response.status_code == 404
    assert response.json()["message"] == "there is no phone number nobody"


async def test_bypassing_the_carrier_brings_no_twiml_while_there_is_no_phone_transport(with_number: Any) -> None:
    call = await phone(with_number, phoneCallProviderBypassEnabled=True)
    assert call["phoneCallProviderBypassEnabled"] is True
    assert "phoneCallProviderDetails" not in call


async def test_a_batch_calls_whom_it_can_and_names_whom_it_cannot(with_number: Any) -> None:
    customers = [
        {"number": ANN, "name": "Ann", "assistantOverrides": {"variableValues": {"name": "Ann"}}},
        {"number": "12"},
        {"name": "nobody"},
        "a text",
        {"number": BOB, "assistantOverrides": {"firstMessage": "Hi Bob"}},
    ]
    body = {"assistantId": "assistant-1", "phoneNumberId": "number-1", "customers": customers}
    answer = await with_number.client.post("/call/phone", json={**body, "customers": customers[:3] + customers[4:]})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert [call["customer"]["number"] for call in made["results"]] == [ANN, BOB]
    assert [failed["customer"] for failed in made["errors"]] == customers[1:3]
    assert "customer.number must have at least 3 characters" in made["errors"][0]["error"]
    assert made["errors"][1]["error"] == "customer.number or customer.sipUri must be given"
    of_ann, of_bob = with_number.bus.configs
    assert (of_ann.assistant.first_message, of_ann.variables["name"]) == ("Hello", "Ann")
    assert of_bob.assistant.first_message == "Hi Bob"
    assert len((await with_number.client.get("/call")).json()) == 2
    for wrong in ([], "all", customers):
        refused = await with_number.client.post("/call", json={**body, "customers": wrong})
        assert refused.status_code == 400
        assert refused.json()["message"][0].startswith("customers")


async def test_the_first_member_of_a_squad_speaks(with_number: Any) -> None:
    members = [{"assistantId": "assistant-1", "assistantOverrides": {"voice": {"speed": 1.2}}}, {"assistant": {}}]
    await with_number.store("squad", "squad-1", members=members, membersOverrides={"maxDurationSeconds": 60})
    answer = await with_number.client.post("/call", json={"squadId": "squad-1", "transport": WEBSOCKET})
    assert answer.status_code == 201, answer.text
    assert answer.json()["squadId"] == "squad-1"
    transient = {"squad": {"members": [{"assistant": {"firstMessage": "Yo"}}]}, "transport": WEBSOCKET}
    assert (await with_number.client.post("/call", json=transient)).status_code == 201
    stored, own = with_number.bus.configs
    assert (stored.assistant_id, stored.assistant.first_message) == ("assistant-1", "Hello")
    assert (stored.assistant.voice.speed, stored.assistant.max_duration_seconds) == (1.2, 60)
    assert (own.assistant_id, own.assistant.first_message) == (None, "Yo")
    gone = await with_number.client.post("/call", json={"squadId": "nobody", "transport": WEBSOCKET})
    assert (gone.status_code, gone.json()["message"]) == (404, "there is no squad nobody")


async def test_a_web_call_is_answered_with_the_address_of_our_own_transport(server: Any) -> None:
    plan = {"recordingEnabled": False}
    answer = await server.client.post("/call/web", json={"assistant": {"artifactPlan": plan}})
    assert answer.status_code == 201, answer.text
    call = answer.json()
    assert (call["type"], call["artifactPlan"]) == ("webCall", plan)
    assert call["webCallUrl"] == call["transport"]["callUrl"] == call["transport"]["websocketCallUrl"]
    assert call["webCallUrl"].startswith(f"ws://media:8081/{call['id']}/transport?")
    assert server.bus.configs[0].call_type == "webCall"
    shown = (await server.client.get(f"/call/{call['id']}")).json()
    assert shown["webCallUrl"] == call["webCallUrl"]


async def test_the_same_request_with_the_same_key_starts_one_call(with_number: Any) -> None:
    once = {"Idempotency-Key": "order-4711"}
    body = {"assistant": {}, "transport": WEBSOCKET}
    first = await with_number.client.post("/call", json=body, headers=once)
    again = await with_number.client.post("/call", json=body, headers=once)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["transport"] == first.json()["transport"]
    assert len(with_number.bus.announced) == 1
    for elsewhere in ({"path": "/call/web"}, {"json": {"assistant": {"name": "B"}, "transport": WEBSOCKET}}):
        request = {"path": "/call", "json": {"assistant": {}}, **elsewhere}
        refused = await with_number.client.post(request["path"], json=request["json"], headers=once)
        assert refused.status_code == 409
    theirs = {**with_number.theirs, **once}
    assert (await with_number.client.post("/call", json=body, headers=theirs)).json()["id"] != first.json()["id"]
    too_long = await with_number.client.post("/call", json=body, headers={"Idempotency-Key": "k" * 256})
    assert too_long.status_code == 400


async def test_a_batch_that_is_sent_twice_calls_everybody_once(with_number: Any) -> None:
    body = {"assistant": {}, "phoneNumberId": "number-1", "customers": [{"number": ANN}, {"number": "1"}]}
    once = {"Idempotency-Key": "batch-1"}
    first = (await with_number.client.post("/call", json=body, headers=once)).json()
    again = (await with_number.client.post("/call", json=body, headers=once)).json()
    assert [call["id"] for call in first["results"]] == [call["id"] for call in again["results"]]
    assert first["errors"] == again["errors"] != []
    assert len((await with_number.client.get("/call")).json()) == 1


async def test_a_call_that_is_stored_is_never_answered_with_an_error_and_is_announced_later(server: Any) -> None:
    server.bus.is_mute = True
    call = await server.call()
    assert server.bus.announced == []
    server.bus.is_mute = False
    await server.due.look()
    assert server.bus.announced == [], "whoever stored it may still be at it"
    server.clock["ms"] += 5_000
    await server.due.look()
    assert [config.call for config in server.bus.announced] == [call["id"]]
    assert server.bus.announced == server.bus.configs
