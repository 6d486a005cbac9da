"""Credentials: stored whole, shown without what is secret."""

from typing import Any

import pytest
from sqlalchemy import text

from voxbus_control_api.credential import PROVIDERS
from voxbus_control_api.database import Database

TRUNK = {
    "provider": "byo-sip-trunk",
    "name": "Our trunk",
    "gateways": [{"ip": "203.0.113.5", "port": 5060, "inboundEnabled": True, "outboundProtocol": "tls/srtp"}],
    "outboundAuthenticationPlan": {"authUsername": "u", "authPassword": "hush-1", "sipRegisterPlan": {"realm": "r"}},
    "outboundLeadingPlusEnabled": True,
    "techPrefix": "00",
}
EXAMPLES: list[dict[str, Any]] = [
    TRUNK,
    {"provider": "openai", "apiKey": "hush-2", "name": "Mine"},
    {"provider": "twilio", "accountSid": "AC1", "authToken": "hush-3"},
    {"provider": "twilio", "accountSid": "AC1", "apiKey": "hush-4", "apiSecret": "hush-5"},
    {
        "provider": "azure-openai",
        "region": "eastus",
        "models": ["gpt-4o"],
        "openAIKey": "hush-6",
        "openAIEndpoint": "https://x.example",
    },
    {"provider": "gcp", "gcpKey": {"type": "service_account", "privateKey": "hush-7", "clientEmail": "a@b.example"}},
    {
        "provider": "s3",
        "awsAccessKeyId": "AK",
        "awsSecretAccessKey": "hush-8",
        "region": "r",
        "s3BucketName": "b",
        "s3PathPrefix": "p",
    },
    {
        "provider": "webhook",
        "authenticationPlan": {"type": "oauth2", "url": "https://x.example", "clientId": "c", "clientSecret": "hush-9"},
    },
    {
        "provider": "custom-credential",
        "authenticationPlan": {"type": "bearer", "token": "hush-10", "headerName": "X-Key"},
    },
    {
        "provider": "custom-credential",
        "authenticationPlan": {"type": "hmac", "secretKey": "hush-11", "algorithm": "sha256"},
    },
    {
        "provider": "anthropic-bedrock",
        "region": "r",
        "authenticationPlan": {"type": "aws-iam", "awsAccessKeyId": "AK", "awsSecretAccessKey": "hush-12"},
    },
    {"provider": "slack-webhook", "webhookUrl": "https://hooks.example/hush-13"},
    {"provider": "ghl.oauth2-authorization", "authenticationSession": {"accessToken": "hush-14"}},
    {"provider": "vonage", "apiKey": "identifies", "apiSecret": "hush-15"},
]


async def made(server: Any, body: dict[str, Any]) -> dict[str, Any]:
    response = await server.client.post("/credential", json=body)
    assert response.status_code == 201, response.text
    return response.json()


@pytest.mark.parametrize("body", EXAMPLES, ids=lambda body: body["provider"])
async def test_no_answer_and_no_row_holds_a_secret(server: Any, database: Database, body: dict[str, Any]) -> None:
    credential = await made(server, body)
    url = f"/credential/{credential['id']}"
    answers = [credential, (await server.client.get(url)).json(), (await server.client.get("/credential")).json()]
    answers.append((await server.client.patch(url, json={"name": "Renamed"})).json())
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT * FROM resources"))).all()
    answers.append((await server.client.delete(url)).json())
    assert "hush" not in str(answers)
    assert "hush" not in str(rows)
    assert credential["provider"] == body["provider"]
    assert answers[3]["name"] == "Renamed"
    assert (await server.client.get(url)).status_code == 404


async def test_what_is_not_secret_is_echoed_whole(server: Any) -> None:
    shown = await made(server, TRUNK)
    plan = {"authUsername": "u", "sipRegisterPlan": {"realm": "r"}}
    assert {name: shown[name] for name in TRUNK} == {**TRUNK, "outboundAuthenticationPlan": plan}
    assert {"id", "orgId", "createdAt", "updatedAt"} <= set(shown)
    assert (await made(server, EXAMPLES[-1]))["apiKey"] == "identifies"


async def test_a_change_of_what_was_shown_keeps_what_was_not(server: Any) -> None:
    shown = await made(server, TRUNK)
    plan = {**shown["outboundAuthenticationPlan"], "authUsername": "v"}
    changed = await server.client.patch(f"/credential/{shown['id']}", json={"outboundAuthenticationPlan": plan})
    assert changed.json()["outboundAuthenticationPlan"]["authUsername"] == "v"
    stored = await server.resources.get(server.org, "credential", shown["id"])
    assert stored.body["outboundAuthenticationPlan"]["authPassword"] == "hush-1"
    await server.client.patch(f"/credential/{shown['id']}", json={"outboundAuthenticationPlan": None})
    stored = await server.resources.get(server.org, "credential", shown["id"])
    assert "outboundAuthenticationPlan" not in stored.body


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, ["provider must be one of"]),
        ({"provider": "nobody"}, ["provider must be one of"]),
        ({"provider": ["openai"]}, ["provider must be one of"]),
        ({"provider": "openai", "name": ""}, ["apiKey", "name must be"]),
        ({"provider": "openai", "apiKey": 5}, ["apiKey"]),
        ({"provider": "s3", "region": "r"}, ["awsAccessKeyId", "awsSecretAccessKey", "s3BucketName", "s3PathPrefix"]),
        ({"provider": "gcp", "gcpKey": "x"}, ["gcpKey must be an object"]),
        ({"provider": "webhook", "authenticationPlan": {"type": "magic"}}, ["authenticationPlan.type"]),
        ({"provider": "webhook", "authenticationPlan": {"type": "oauth2"}}, ["authenticationPlan.clientSecret"]),
        ({"provider": "byo-sip-trunk"}, ["gateways"]),
        (
            {"provider": "byo-sip-trunk", "gateways": [{"ip": "-", "netmask": 8}]},
            ["gateways.0.ip", "gateways.0.netmask"],
        ),
    ],
)
async def test_bad_credentials_are_refused_field_by_field(server: Any, body: dict[str, Any], named: list[str]) -> None:
    response = await server.client.post("/credential", json=body)
    assert response.status_code == 400
    said = " | ".join(response.json()["message"])
    assert all(name in said for name in named), said


async def test_a_provider_stays_and_others_see_nothing(server: Any) -> None:
    url = f"/credential/{(await made(server, EXAMPLES[1]))['id']}"
    assert (await server.client.patch(url, json={"provider": "groq"})).status_code == 400
    for method in ("GET", "PATCH", "DELETE"):
        assert (await server.client.request(method, url, headers=server.theirs, json={})).status_code == 404
    assert (await server.client.get("/credential", headers=server.theirs)).json() == []
    assert len((await server.client.get("/credential?provider=openai")).json()) == 1
    assert (await server.client.get("/credential?provider=groq")).json() == []


def test_the_providers_of_the_public_api_are_known() -> None:
    assert {"byo-sip-trunk", "openai", "11labs", "twilio", "custom-llm", "google.calendar.oauth2-client"} <= set(
        PROVIDERS
    )
    assert len(PROVIDERS) > 50
