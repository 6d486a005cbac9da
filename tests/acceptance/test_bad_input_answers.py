"""What is wrong with a request is said with the status that fits, every offending field by its name."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tenants import Tenant

Json = dict[str, Any]
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

NOBODY = "00000000-0000-4000-8000-00000000dead"
WEBSOCKET = {"provider": "vapi.websocket"}
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}

FIELDS: list[tuple[str, Json, set[str]]] = [
    (
        "/assistant",
        {"maxDurationSeconds": 1, "model": {"provider": "openai", "maxTokens": 7}, "name": "x" * 41},
        {"maxDurationSeconds", "model.maxTokens", "name"},
    ),
    (
        "/assistant",
        {"startSpeakingPlan": {"waitSeconds": 6}, "stopSpeakingPlan": {"numWords": 11, "backoffSeconds": -1}},
        {"startSpeakingPlan.waitSeconds", "stopSpeakingPlan.numWords", "stopSpeakingPlan.backoffSeconds"},
    ),
    ("/assistant", {"firstMessageMode": "assistant-sings-first"}, {"firstMessageMode"}),
    (
        "/call",
        {"assistant": {}, "transport": {"provider": "vapi.websocket", "audioFormat": {"sampleRate": -1}}},
        {"transport.audioFormat.sampleRate"},
    ),
    ("/call", {"transport": WEBSOCKET}, {"exactly"}),
    ("/squad", {"name": "s"}, {"members"}),
    ("/squad", {"members": [{"assistantId": NOBODY}]}, {"members"}),
    ("/tool", {"function": {"name": "f"}}, {"type"}),
    ("/tool", {"type": "function", "function": {"name": "n" * 65}}, {"function.name"}),
    ("/phone-number", {"provider": "twilio", "number": "12"}, {"number", "twilioAccountSid"}),
    ("/structured-output", {"description": "d"}, {"name"}),
    ("/credential", {"provider": "byo-sip-trunk", "name": "t"}, {"gateways"}),
    ("/token", {"tag": "secret", "restrictions": {"allowedOrigins": "all"}}, {"tag", "restrictions.allowedOrigins"}),
]


@pytest.fixture(scope="module")
def tenant(http: httpx.Client) -> Iterator[Tenant]:
    made = Tenant.new(http, "mistaken", "of-mistaken")
    yield made
    made.http.close()


def said(answer: httpx.Response, status: int) -> list[str]:
    """The messages of an error of the API's shape."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text[:300]}"
    error = answer.json()
    assert error["statusCode"] == status
    assert error["error"] == TITLES.get(status, error["error"])
    message = error["message"]
    return message if isinstance(message, list) else [message]


@pytest.mark.parametrize(("path", "body", "fields"), FIELDS, ids=lambda each: str(each)[:60])
def test_every_offending_field_is_named(tenant: Tenant, path: str, body: Json, fields: set[str]) -> None:
    messages = said(tenant.http.post(path, json=body), 400)
    missing = {field for field in fields if not any(field in message.split(" ")[0] for message in messages)}
    assert not missing, f"{missing} not named in {messages}"


@pytest.mark.parametrize("text", ["{nope", "[]", '"text"', "", '{"a": NaN}', '{"a": "\\ud800"}'])
def test_a_body_that_is_no_json_object_is_400(tenant: Tenant, text: str) -> None:
    headers = {"Content-Type": "application/json"}
    said(tenant.http.post("/assistant", content=text.encode(), headers=headers), 400)


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=many", "createdAtGt=yesterday", "updatedAtLe=2026-13-01T00:00:00Z"]
)
def test_a_list_asked_for_wrongly_names_the_parameter(tenant: Tenant, query: str) -> None:
    for path in ("/assistant", "/call", "/tool"):
        assert query.partition("=")[0] in said(tenant.http.get(f"{path}?{query}"), 400)[0]


@pytest.mark.parametrize("path", ["/assistant", "/call", "/squad", "/tool", "/phone-number", "/credential", "/token"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_not_there_is_404(tenant: Tenant, path: str, method: str) -> None:
    for name in (NOBODY, "no-uuid", "%00", "x" * 300):
        answer = tenant.http.request(method, f"{path}/{name}", json=None if method != "PATCH" else {"name": "n"})
        said(answer, 404)


def test_a_call_of_an_assistant_that_is_not_there_is_404(tenant: Tenant) -> None:
    (message,) = said(tenant.http.post("/call", json={"assistantId": NOBODY, "transport": WEBSOCKET}), 404)
    assert NOBODY in message


def test_an_unknown_path_is_404_and_a_wrong_method_is_no_5xx(tenant: Tenant) -> None:
    said(tenant.http.get("/no-such-thing"), 404)
    assert tenant.http.put("/token").status_code in (404, 405)


def test_without_or_with_a_wrong_key_it_is_401_and_with_a_public_one_403(tenant: Tenant) -> None:
    public = tenant.http.post("/token", json={"tag": "public", "name": "page"}).json()["value"]
    for key, status in (("", 401), ("Bearer nobody", 401), (f"Bearer {public}", 403)):
        said(tenant.http.get("/assistant", headers={"Authorization": key}), status)
    elsewhere = {"tag": "public", "restrictions": {"enabled": True, "allowedOrigins": ["https://page.example"]}}
    bound = tenant.http.post("/token", json=elsewhere).json()["value"]
    headers = {"Authorization": f"Bearer {bound}", "Origin": "https://other.example"}
    said(tenant.http.post("/call/web", json={"assistant": {}}, headers=headers), 403)


def test_a_conflict_is_409(tenant: Tenant) -> None:
    (own,) = [each for each in tenant.http.get("/token").json() if each["tag"] == "private"]
    said(tenant.http.delete(f"/token/{own['id']}"), 409)
    call = tenant.http.post("/call", json={"assistant": {}, "transport": WEBSOCKET}).json()
    assert tenant.http.post(f"/call/{call['id']}/control", json={"type": "end-call"}).status_code == 200


def test_too_much_is_413_and_says_how_much_is_allowed(tenant: Tenant) -> None:
    answer = tenant.http.post("/assistant", json={"firstMessage": "x" * 3_000_000})
    assert answer.status_code == 413
    assert "1048576" in json.dumps(answer.json()["message"])
