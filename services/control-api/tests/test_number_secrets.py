"""What opens an account at a carrier: kept encrypted, shown to nobody, over HTTP on a real database."""

from typing import Any

import pytest
from sqlalchemy import text

from voxbus_control_api.database import Database
from voxbus_control_api.secret_names import MASK

Json = dict[str, Any]
SERVER = {"url": "https://shop.example/number", "headers": {"X-Shop": "echoed"}, "secret": "echoed-too"}
SIP = {"realm": "sip.example", "username": "desk-user-of-twenty-plus", "password": "hush-password-of-twenty-plus"}
NUMBERS: list[Json] = [
    {"provider": "twilio", "number": "+14155550100", "twilioAccountSid": "AC1", "twilioAuthToken": "hush-1"},
    {
        "provider": "twilio",
        "number": "+14155550101",
        "twilioAccountSid": "AC1",
        "twilioApiKey": "hush-2",
        "twilioApiSecret": "hush-3",
    },
    {"provider": "vapi", "sipUri": "sip:desk@sip.example", "authentication": SIP},
    {"provider": "carrier-of-tomorrow", "number": "1", "account": {"id": "A", "apiKey": "hush-4"}},
]


async def made(server: Any, body: Json) -> Json:
    response = await server.client.post("/phone-number", json=body)
    assert response.status_code == 201, response.text
    return response.json()


@pytest.mark.parametrize("body", NUMBERS, ids=lambda body: body.get("number") or body["sipUri"])
async def test_no_answer_and_no_row_holds_a_numbers_secret(server: Any, database: Database, body: Json) -> None:
    number = await made(server, {**body, "server": SERVER})
    url = f"/phone-number/{number['id']}"
    answers = [number, *[(await server.client.get(each)).json() for each in (url, "/phone-number", "/v2/phone-number")]]
    answers.append((await server.client.patch(url, json={"name": "Renamed"})).json())
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT * FROM resources"))).all()
    stored = await server.resources.get(server.org, "phone-number", number["id"])
    answers.append((await server.client.delete(url)).json())
    assert "hush" not in str(answers)
    assert "hush" not in str(rows)
    assert "hush" in str(stored.body), "a call of the number can still be made"
    assert all(each["server"] == SERVER for each in (number, answers[1], answers[4], answers[5]))


@pytest.mark.parametrize("left_out", [True, False])
async def test_a_change_of_what_was_shown_keeps_what_was_not(server: Any, left_out: bool) -> None:
    shown = await made(server, NUMBERS[2])
    assert shown["authentication"] == {**SIP, "password": MASK}
    url = f"/phone-number/{shown['id']}"
    renamed = {**shown["authentication"], "username": "another-user-of-twenty-plus"}
    if left_out:
        del renamed["password"]
    changed = await server.client.patch(url, json={"provider": "vapi", "authentication": renamed})
    assert changed.json()["authentication"] == {**renamed, "password": MASK}
    stored = await server.resources.get(server.org, "phone-number", shown["id"])
    assert stored.body["authentication"] == {**SIP, "username": "another-user-of-twenty-plus"}
    fresh = {**renamed, "password": "another-password-of-twenty"}
    await server.client.patch(url, json={"authentication": fresh})
    stored = await server.resources.get(server.org, "phone-number", shown["id"])
    assert stored.body["authentication"] == fresh


async def test_a_secret_can_be_taken_away(server: Any) -> None:
    twilio = await made(server, NUMBERS[0])
    assert twilio["twilioAuthToken"] == MASK
    bare = await server.client.patch(f"/phone-number/{twilio['id']}", json={"twilioAuthToken": None})
    assert "twilioAuthToken" not in bare.json()
    stored = await server.resources.get(server.org, "phone-number", twilio["id"])
    assert "twilioAuthToken" not in stored.body


async def test_a_mask_is_no_secret(server: Any) -> None:
    """A number that is copied from an answer would call nobody."""
    refused = await server.client.post("/phone-number", json={**NUMBERS[0], "twilioAuthToken": MASK})
    assert refused.status_code == 400
    assert "twilioAuthToken must be the secret itself" in refused.json()["message"][0]
    number = await made(server, NUMBERS[0])
    refused = await server.client.patch(f"/phone-number/{number['id']}", json={"twilioApiKey": MASK})
    assert "twilioApiKey must be the secret itself" in refused.json()["message"][0]


async def test_a_numbers_server_may_lose_its_headers(server: Any) -> None:
    """They are shown, so that leaving them out means to take them away."""
    number = await made(server, {**NUMBERS[0], "server": SERVER})
    plain = {"url": SERVER["url"]}
    changed = await server.client.patch(f"/phone-number/{number['id']}", json={"server": plain})
    assert changed.json()["server"] == plain


async def test_a_session_keeps_no_secret_of_the_number_it_was_made_with(server: Any) -> None:
    number = {"twilioPhoneNumber": "+14155550100", "twilioAccountSid": "AC1", "twilioAuthToken": "hush-5"}
    session = (await server.client.post("/session", json={"assistant": {}, "phoneNumber": number})).json()
    assert session["phoneNumber"] == {**number, "twilioAuthToken": MASK}
    stored = await server.resources.get(server.org, "session", session["id"])
    assert "hush" not in str(stored.body)
