"""Every kind of stored resource as a client sees it: the same routes, the same rules."""

from typing import Any

BODIES: dict[str, dict[str, Any]] = {
    "/assistant": {"name": "Riley", "model": {"provider": "openai", "model": "gpt-4.1", "maxTokens": 300.0}},
    "/squad": {"name": "front", "members": [{"assistant": {"firstMessage": "Hi"}, "assistantDestinations": []}]},
    "/tool": {"type": "function", "function": {"name": "look_up", "parameters": {"default": None}}, "async": True},
    "/phone-number": {"provider": "byo-phone-number", "number": "+14155550100", "credentialId": "c", "name": "desk"},
    "/v2/knowledge-base": {"name": "handbook", "description": "all of it"},
    "/knowledge-base": {"provider": "custom-knowledge-base", "server": {"url": "https://kb.example/ask"}},
    "/structured-output": {"name": "mood", "schema": {"type": "string", "enum": ["good", None]}},
}
UNKNOWN = {"somethingNew": {"deep": [1, None, 2.5]}, "x": None}
PATHS = list(BODIES)


async def made(server: Any, path: str, **more: Any) -> dict[str, Any]:
    response = await server.client.post(path, json={**BODIES[path], **more})
    assert response.status_code == 201, response.text
    return response.json()


async def test_what_was_posted_is_given_back_everywhere(server: Any) -> None:
    for path in PATHS:
        posted = {**BODIES[path], **UNKNOWN}
        body = await made(server, path, **UNKNOWN)
        assert {name: body[name] for name in posted} == posted
        assert (await server.client.get(f"{path}/{body['id']}")).json() == body
        listed = (await server.client.get(path)).json()
        (one,) = listed["results"] if isinstance(listed, dict) else listed
        assert {name: one[name] for name in posted} == posted
        deleted = await server.client.delete(f"{path}/{body['id']}")
        assert (deleted.status_code, deleted.json()) == (200, body)
        for method in ("GET", "DELETE", "PATCH"):
            gone = await server.client.request(method, f"{path}/{body['id']}", json={})
            assert gone.status_code == 404
            assert gone.json()["error"] == "Not Found"


async def test_a_change_needs_only_what_changes_and_leaves_the_rest(server: Any) -> None:
    for path in PATHS:
        before = await made(server, path, note="old", gone="soon")
        server.clock["ms"] += 5
        response = await server.client.patch(f"{path}/{before['id']}", json={"note": "new", "gone": None, "id": "mine"})
        after = response.json()
        assert response.status_code == 200
        assert after["note"] == "new"
        assert "gone" not in after
        assert after["updatedAt"] > before["updatedAt"]
        same = {name: value for name, value in before.items() if name not in ("note", "gone", "updatedAt")}
        assert {name: after[name] for name in same} == same


async def test_nobody_sees_anothers(server: Any) -> None:
    for path in PATHS:
        mine = await made(server, path)
        for method in ("GET", "PATCH", "DELETE"):
            response = await server.client.request(method, f"{path}/{mine['id']}", headers=server.theirs, json={})
            assert response.status_code == 404
        listed = (await server.client.get(path, headers=server.theirs)).json()
        assert (listed["results"] if isinstance(listed, dict) else listed) == []


async def test_an_id_that_cannot_be_is_not_found(server: Any) -> None:
    for path in PATHS:
        for strange in ("%00", "x" * 300, "%F0%9F%91%8B", "..%2F", "'"):
            assert (await server.client.get(f"{path}/{strange}")).status_code == 404, strange


async def test_the_plural_path_changes_an_assistant_too(server: Any) -> None:
    assistant = await made(server, "/assistant")
    changed = await server.client.patch(f"/assistants/{assistant['id']}", json={"name": "Alex"})
    assert changed.json()["name"] == "Alex"


# --- what belongs to one kind ----------------------------------------------------------------------------------------


async def test_a_prefix_stands_before_the_problems_of_a_calls_assistant(server: Any) -> None:
    body = {"assistant": {"serverUrl": "nowhere"}, "transport": {"provider": "vapi.websocket"}}
    response = await server.client.post("/call", json=body)
    assert response.status_code == 400
    assert response.json()["message"][0].startswith("assistant.serverUrl must be a valid URL")


async def test_a_tool_is_changed_without_its_type_and_never_becomes_another(server: Any) -> None:
    tool = await made(server, "/tool")
    changed = await server.client.patch(f"/tool/{tool['id']}", json={"async": False, "type": "function"})
    assert changed.json()["async"] is False
    refused = await server.client.patch(f"/tool/{tool['id']}", json={"type": "dtmf"})
    assert (refused.status_code, refused.json()["message"]) == (400, ["type must not be changed"])
    wrong = await server.client.patch(f"/tool/{tool['id']}", json={"function": {"name": "no good"}})
    assert wrong.status_code == 400


TOOLS: list[dict[str, Any]] = [
    {"type": "endCall"},
    {"type": "transferCall", "destinations": [{"type": "number", "number": "+14155550100", "message": ""}]},
    {"type": "handoff", "destinations": [{"type": "dynamic"}], "defaultResult": "no"},
    {"type": "dtmf", "messages": [{"type": "request-start", "content": ""}]},
    {"type": "apiRequest", "method": "POST", "url": "{{host}}/x", "headers": {"type": "object"}, "name": "post"},
    {"type": "query", "knowledgeBases": [{"name": "k", "provider": "google", "description": "d", "fileIds": []}]},
    {"type": "mcp", "server": {"url": "https://mcp.example"}, "metadata": {"protocol": "sse"}},
    {"type": "code", "code": "return 1", "environmentVariables": [{"name": "A", "value": "b"}]},
    {"type": "sipRequest", "verb": "INFO", "body": "text"},
    {"type": "voicemail", "beepDetectionEnabled": True},
    {"type": "google.calendar.event.create", "name": "x"},
    {"type": "fromTheFuture", "verb": 5},
]


async def test_every_type_of_tool_is_taken(server: Any) -> None:
    for body in TOOLS:
        response = await server.client.post("/tool", json=body)
        assert response.status_code == 201, response.text
        assert {name: response.json()[name] for name in body} == body


NUMBERS: list[dict[str, Any]] = [
    {"provider": "twilio", "number": "+14155550100", "twilioAccountSid": "AC", "twilioAuthToken": "t"},
    {"provider": "vonage", "number": "+14155550101", "credentialId": "c"},
    {"provider": "telnyx", "number": "+14155550102", "credentialId": "c"},
    {"provider": "byo-phone-number", "number": "100", "numberE164CheckEnabled": False, "credentialId": "c"},
    {"provider": "vapi", "sipUri": "sip:desk@sip.example"},
    {"provider": "carrier-of-tomorrow", "number": "1"},
]


async def test_every_provider_of_numbers_is_taken_and_its_numbers_are_active(server: Any) -> None:
    for body in NUMBERS:
        response = await server.client.post("/phone-number", json={**body, "status": "blocked"})
        assert response.status_code == 201, response.text
        open_ones = {name: value for name, value in body.items() if name != "twilioAuthToken"}
        assert {name: response.json()[name] for name in open_ones} == open_ones
        assert response.json()["status"] == "active"


async def test_the_older_imports_make_the_same_numbers_and_name_fields_as_they_were_asked(server: Any) -> None:
    twilio = {"twilioPhoneNumber": "+14155550100", "twilioAccountSid": "AC", "twilioAuthToken": "t", "name": "desk"}
    made_here = await server.client.post("/phone-number/import/twilio", json=twilio)
    assert made_here.status_code == 201, made_here.text
    shown = made_here.json()
    assert (shown["provider"], shown["number"], shown["name"]) == ("twilio", "+14155550100", "desk")
    assert shown["twilioAuthToken"] != "t"
    assert (await server.client.get(f"/phone-number/{shown['id']}")).json() == shown
    assert (await server.client.post("/phone-number/import/twilio", json=twilio)).status_code == 409
    vonage = {"vonagePhoneNumber": "+14155550101", "credentialId": "c"}
    assert (await server.client.post("/phone-number/import/vonage", json=vonage)).json()["provider"] == "vonage"
    wrong = await server.client.post("/phone-number/import/vonage", json={"vonagePhoneNumber": "12"})
    named = {told.split(" ")[0] for told in wrong.json()["message"]}
    assert (wrong.status_code, named) == (400, {"vonagePhoneNumber", "credentialId"})
    missing = await server.client.post("/phone-number/import/twilio", json={"twilioAccountSid": "AC"})
    assert missing.json()["message"][0].startswith("twilioPhoneNumber")


async def test_a_number_belongs_to_one_phone_number_of_an_organisation(server: Any) -> None:
    first = await made(server, "/phone-number")
    again = await server.client.post("/phone-number", json=BODIES["/phone-number"])
    assert (again.status_code, again.json()["error"]) == (409, "Conflict")
    theirs = await server.client.post("/phone-number", json=BODIES["/phone-number"], headers=server.theirs)
    assert theirs.status_code == 201
    second = await made(server, "/phone-number", number="+14155550101")
    taken = await server.client.patch(f"/phone-number/{second['id']}", json={"number": first["number"]})
    assert taken.status_code == 409
    await server.client.delete(f"/phone-number/{first['id']}")
    moved = await server.client.patch(f"/phone-number/{second['id']}", json={"number": first["number"]})
    assert moved.status_code == 200


async def test_pages_tell_how_many_there_are(server: Any) -> None:
    for number in range(5):
        await made(server, "/phone-number", number=f"+1415555010{number}", name=f"Desk {number}")
        server.clock["ms"] += 1
    page = (await server.client.get("/v2/phone-number?limit=2.0&page=2")).json()
    assert [each["name"] for each in page["results"]] == ["Desk 2", "Desk 1"]
    assert page["metadata"] == {
        "itemsPerPage": 2,
        "totalItems": 5,
        "currentPage": 2,
        "totalPages": 3,
        "hasNextPage": True,
        "sortOrder": "DESC",
    }
    last = (await server.client.get("/v2/phone-number?limit=2&page=3&sortOrder=ASC")).json()
    assert [each["name"] for each in last["results"]] == ["Desk 4"]
    assert last["metadata"]["hasNextPage"] is False
    found = (await server.client.get("/v2/phone-number?search=desk%203")).json()
    assert [each["name"] for each in found["results"]] == ["Desk 3"]
    assert found["metadata"]["totalItems"] == 1
    assert (await server.client.get("/v2/phone-number?search=%25")).json()["results"] == []
    wrong = await server.client.get("/v2/phone-number?page=0&sortOrder=UP&limit=1e3&createdAtGt=x")
    assert wrong.status_code == 400
    assert {told.split(" ")[0] for told in wrong.json()["message"]} == {"page", "sortOrder", "limit", "createdAtGt"}


async def test_squads_are_found_by_any_of_their_ids_and_assistants_come_in_pages_too(server: Any) -> None:
    first, _, third = [await made(server, "/squad") for _ in range(3)]
    found = (await server.client.get("/squad", params={"idAny": f"{first['id']},{third['id']}"})).json()
    assert {each["id"] for each in found} == {first["id"], third["id"]}
    assistant = await made(server, "/assistant")
    page = (await server.client.get("/v2/assistant?sortBy=createdAt")).json()
    assert (page["results"], page["metadata"]["totalItems"]) == ([assistant], 1)


async def test_what_a_body_refers_to_must_be_the_organisations(server: Any) -> None:
    tool, assistant = await made(server, "/tool"), await made(server, "/assistant")
    squad = {"members": [{"assistantId": assistant["id"]}]}
    with_tool = {"model": {"toolIds": [tool["id"]]}}
    assert (await server.client.post("/squad", json=squad)).status_code == 201
    assert (await server.client.post("/assistant", json=with_tool)).status_code == 201
    for path, body, told in (
        ("/squad", squad, "members.0.assistantId must be the id of an assistant"),
        ("/assistant", with_tool, "model.toolIds.0 must be the id of a tool"),
        (
            "/phone-number",
            {**BODIES["/phone-number"], "assistantId": assistant["id"]},
            "assistantId must be the id of an assistant",
        ),
    ):
        response = await server.client.post(path, json=body, headers=server.theirs)
        assert (response.status_code, response.json()["message"]) == (400, [told])
    patched = await server.client.patch(f"/assistant/{assistant['id']}", json={"model": {"toolIds": ["x", "\0"]}})
    assert len(patched.json()["message"]) == 2


async def test_a_reference_to_nothing_is_named_beside_fields_that_are_wrong(server: Any) -> None:
    body = {"provider": "byo-phone-number", "number": "+1", "assistantId": "nobody", "name": "n" * 99}
    refused = await server.client.post("/phone-number", json=body)
    assert refused.status_code == 400
    named = [problem.split(" ")[0] for problem in refused.json()["message"]]
    assert "assistantId" in named
    assert len(named) > 1
