"""Assistants, keys and errors as a client sees them, over HTTP; `server` is in conftest.py."""

import re
from typing import Any

import pytest

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
WEBSOCKET = {"provider": "vapi.websocket"}

# --- assistants ------------------------------------------------------------------------------------------------------


async def test_an_assistant_is_given_back_as_it_was_posted(server: Any) -> None:
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
    assert body["orgId"] == server.org
    assert STAMP.fullmatch(body["createdAt"])
    assert body["updatedAt"] == body["createdAt"]
    assert (await server.client.get(f"/assistant/{body['id']}")).json() == body
    assert (await server.client.get("/assistant")).json() == [body]


async def test_patching_replaces_the_fields_given_and_null_takes_one_away(server: Any) -> None:
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


async def test_deleting_gives_the_deleted_back_and_then_it_is_gone(server: Any) -> None:
    created = (await server.client.post("/assistant", json={"name": "A"})).json()
    assert (await server.client.delete(f"/assistant/{created['id']}")).json() == created
    assert (await server.client.get(f"/assistant/{created['id']}")).status_code == 404
    assert (await server.client.delete(f"/assistant/{created['id']}")).status_code == 404


async def test_lists_are_bare_arrays_newest_first_filtered_and_limited(server: Any) -> None:
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


@pytest.mark.parametrize("value", ["", "Bearer ", "Bearer wrong", "vb_mine", "Basic vb_mine"])
async def test_without_a_valid_key_nothing_is_answered(server: Any, value: str) -> None:
    for method, path in (("GET", "/assistant"), ("POST", "/call"), ("GET", "/call/x"), ("POST", "/call/x/control")):
        response = await server.client.request(method, path, headers={"authorization": value}, json={})
        assert response.status_code == 401
        assert response.json()["error"] == "Unauthorized"
        assert response.json()["statusCode"] == 401
        assert "wrong" not in response.text


async def test_one_organisation_never_sees_anothers(server: Any) -> None:
    assistant = (await server.client.post("/assistant", json={"name": "A"})).json()
    call = await server.call()
    for path in (f"/assistant/{assistant['id']}", f"/call/{call['id']}"):
        for method in ("GET", "PATCH", "DELETE"):
            response = await server.client.request(method, path, headers=server.theirs, json={"name": "x"})
            assert response.status_code == 404, (method, path)
    for path in ("/assistant", "/call"):
        assert (await server.client.get(path, headers=server.theirs)).json() == []
    body = {"assistantId": assistant["id"], "transport": WEBSOCKET}
    assert (await server.client.post("/call", headers=server.theirs, json=body)).status_code == 404
    control = await server.client.post(f"/call/{call['id']}/control", headers=server.theirs, json={"type": "end-call"})
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
        (b'{"metadata": {"x": 1e999}}', "body must be valid JSON"),
        (b'{"metadata": ' + b"[" * 100 + b"]" * 100 + b"}", "body must not be nested deeper than 100 levels"),
    ],
)
async def test_a_malformed_body_is_a_bad_request_that_says_where(server: Any, content: bytes, told: str) -> None:
    response = await server.client.post("/assistant", content=content)
    body = response.json()
    assert response.status_code == 400
    assert (body["error"], body["statusCode"]) == ("Bad Request", 400)
    assert len(body["message"]) == 1
    assert told in body["message"][0]


async def test_validation_errors_are_an_array_with_every_field(server: Any) -> None:
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


async def test_a_body_that_is_too_long_is_refused(server: Any) -> None:
    response = await server.client.post("/assistant", json={"firstMessage": "x" * 200_000})
    assert response.status_code == 413
    assert response.json()["error"] == "Payload Too Large"


async def test_unknown_paths_and_methods_have_the_same_shape(server: Any) -> None:
    for method, path in (("GET", "/nowhere"), ("PUT", "/assistant"), ("GET", "/assistant/")):
        response = await server.client.request(method, path)
        assert response.status_code == 404
        assert response.json() == {"message": f"Cannot {method} {path}", "error": "Not Found", "statusCode": 404}


# --- operation -------------------------------------------------------------------------------------------------------


async def test_the_api_describes_itself(server: Any) -> None:
    described = (await server.client.get("/api-json", headers={"authorization": ""})).json()
    assert {"/assistant", "/assistant/{id}", "/call", "/call/{call_id}", "/health"} <= set(described["paths"])
    post = described["paths"]["/assistant"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert post == {"$ref": "#/components/schemas/AssistantBody"}
    assert "firstMessage" in described["components"]["schemas"]["AssistantBody"]["properties"]
    assert (await server.client.get("/openapi.json", headers={"authorization": ""})).json() == described
    assert (await server.client.get("/docs", headers={"authorization": ""})).status_code == 200
    assert (await server.client.get("/health", headers={"authorization": ""})).json() == {"status": "ok"}
