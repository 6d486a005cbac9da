"""Ready-made tools as a client sees them."""

from typing import Any

from voxbus_control_api.templates import templates

CREDENTIAL = {"provider": "custom-credential", "authenticationPlan": {"type": "bearer", "token": "t"}}


async def test_templates_are_listed_and_shown(server: Any) -> None:
    listed = (await server.client.get("/tool-template")).json()
    assert [each["id"] for each in listed] == list(templates())
    shown = (await server.client.get("/tool-template/hubspot")).json()
    assert shown == templates()["hubspot"]
    gone = await server.client.get("/tool-template/nothing")
    assert gone.status_code == 404
    assert "hubspot" in gone.json()["message"]


async def test_the_tools_of_a_template_are_stored_like_any_others(server: Any) -> None:
    credential = (await server.client.post("/credential", json=CREDENTIAL)).json()["id"]
    asked = {"credentialId": credential, "variables": {"baseUrl": "https://db.example/", "table": "parcels"}}
    made = await server.client.post("/tool-template/orders-database", json=asked)
    assert made.status_code == 201, made.text
    first, _ = made.json()
    assert first["url"].startswith("https://db.example/parcels?order_number=eq.{{ order_number }}")
    assert first["credentialId"] == credential
    assert (await server.client.get(f"/tool/{first['id']}")).json() == first


async def test_everything_that_is_missing_is_named(server: Any) -> None:
    refused = await server.client.post("/tool-template/calendly", json={"credentialId": "nobody's"})
    assert refused.status_code == 400
    assert "credentialId must be the id of a credential" in str(refused.json()["message"])
    credential = (await server.client.post("/credential", json=CREDENTIAL)).json()["id"]
    asked = {"credentialId": credential, "variables": {"eventtype": "x"}}
    told = str((await server.client.post("/tool-template/calendly", json=asked)).json()["message"])
    assert "variables.eventtype should not exist" in told
    assert "variables.eventType must be a string" in told
