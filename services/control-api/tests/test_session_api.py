"""Sessions and chats of web pages over HTTP, on a real database, with an orchestrator in memory."""

import json
from typing import Any

import pytest
from writing import ASSISTANT, WITH_TOOL, Json, events_of, refused, session_of, written

from voxbus_contracts.events import CostUpdated
from voxbus_contracts.events.cost import CostRow
from voxbus_control_api.key_store import Key

PAGE = "https://shop.example"


# --- sessions ---


async def test_a_session_is_made_changed_listed_and_deleted(server: Any) -> None:
    session = await session_of(server, name="s", messages=[{"role": "assistant", "content": "Welcome."}])
    assert (session["status"], session["expirationSeconds"]) == ("active", 86_400)
    assert session["messages"] == [{"role": "assistant", "content": "Welcome."}]
    path = f"/session/{session['id']}"
    changed = (await server.client.patch(path, json={"name": "t", "expirationSeconds": 60})).json()
    assert (changed["name"], changed["expirationSeconds"]) == ("t", 60)
    found = (await server.client.get("/session", params={"name": "t"})).json()
    assert [each["id"] for each in found["results"]] == [session["id"]]
    assert (await server.client.delete(path)).json()["id"] == session["id"]
    assert (await server.client.get(path)).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"number": "+14155550101"},
        {"customerNumberAny": "+14155550101,+14155550199"},
        {"email": "ada@example.org"},
        {"externalId": "c-1", "sortBy": "cost"},
    ],
)
async def test_sessions_are_found_by_their_customer(server: Any, asked: Json) -> None:
    customer = {"number": "+14155550101", "email": "ada@example.org", "externalId": "c-1"}
    hers = await session_of(server, customer=customer)
    other = await session_of(server, customer={"number": "+14155550102"})
    found = (await server.client.get("/session", params=asked)).json()
    assert [each["id"] for each in found["results"]] == [hers["id"]]
    both = (await server.client.get("/session", params={"idAny": [hers["id"], other["id"]]})).json()
    assert both["metadata"]["totalItems"] == 2


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"expirationSeconds": 59}, "expirationSeconds"),
        ({"expirationSeconds": 2_592_001}, "expirationSeconds"),
        ({"status": "odd"}, "status"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"assistantId": "x"}, "exactly one"),
    ],
)
async def test_what_is_wrong_with_a_session_is_named(server: Any, body: Json, named: str) -> None:
    message = await refused(server, 400, "/session", **{"assistant": ASSISTANT, **body})
    assert any(named in problem for problem in message), message


async def test_a_session_carries_on_what_was_said_and_fixes_its_variables(server: Any) -> None:
    session = await session_of(server, assistantOverrides={"variableValues": {"who": "Ada"}})
    assert session["metadata"]["variableValues"] == {"who": "Ada"}
    await written(server, sessionId=session["id"], input="one")
    await written(server, sessionId=session["id"], assistantOverrides={"variableValues": {"who": "Bob"}})
    assert server.answering.read == [("user", "one"), ("assistant", "Hello you."), ("user", "Hi")]
    assert server.answering.asked[-1][0].assistant.model.messages[0].content == "You serve Ada."
    kept = (await server.client.get(f"/session/{session['id']}")).json()
    assert [line["content"] for line in kept["messages"]] == ["one", "Hello you.", "Hi", "Hello you."]
    found = (await server.client.get("/chat", params={"sessionId": session["id"]})).json()
    assert found["metadata"]["totalItems"] == 2


async def test_an_end_that_is_heard_twice_adds_to_a_session_once(server: Any) -> None:
    session = await session_of(server)
    chat = await written(server, sessionId=session["id"])
    conversations = server.app.state.api.chats
    await conversations.ended(server.org, chat["id"], WITH_TOOL)
    kept = (await server.client.get(f"/session/{session['id']}")).json()
    assert len(kept["messages"]) == 2
    assert (await server.client.get(f"/chat/{chat['id']}")).json()["output"] == chat["output"]


async def test_nothing_can_be_written_in_a_session_that_is_over(server: Any) -> None:
    completed, expired = await session_of(server), await session_of(server, expirationSeconds=60)
    await server.client.patch(f"/session/{completed['id']}", json={"status": "completed"})
    assert "completed" in (await refused(server, 400, sessionId=completed["id"], input="Hi"))[0]
    server.clock["ms"] += 60_000
    assert "expired" in (await refused(server, 400, sessionId=expired["id"], input="Hi"))[0]


async def test_a_session_keeps_its_assistant(server: Any) -> None:
    await server.store("assistant", "shop-1", **ASSISTANT)
    response = await server.client.post("/session", json={"assistantId": "shop-1"})
    session = response.json()
    await written(server, sessionId=session["id"], assistantId="shop-1")
    assert "assistantId" in (await refused(server, 400, sessionId=session["id"], assistantId="other", input="Hi"))[0]


async def test_a_session_costs_what_its_chats_cost(server: Any) -> None:
    session = await session_of(server)
    conversations = server.app.state.api.chats
    model = {"provider": "openai", "model": "x"}
    for tokens in (10, 30):
        chat = await written(server, sessionId=session["id"])
        rows = (
            CostRow.model_validate({"type": "model", "cost": "0.1", "model": model, "promptTokens": tokens}),
            CostRow(type="chat", cost="0.005"),
        )
        for version in (2, 1):
            cost = CostUpdated(version=version, rows=rows[:version], breakdown={}, total="0.105", ended=False)
            await conversations.priced(server.org, chat["id"], cost)
        priced = (await server.client.get(f"/chat/{chat['id']}")).json()
        assert priced["cost"] == 0.105
        assert {row["type"]: row["cost"] for row in priced["costs"]} == {"model": 0.1, "chat": 0.005}
    kept = (await server.client.get(f"/session/{session['id']}")).json()
    assert kept["cost"] == 0.21
    assert {row["type"]: row["cost"] for row in kept["costs"]} == {"model": 0.2, "session": 0.01}
    assert kept["costs"][0]["promptTokens"] == 40


# --- web chats ---


async def public_key(server: Any, **restrictions: Any) -> dict[str, str]:
    secret = f"vb_public_{len(restrictions)}"
    keys = server.app.state.api.keys
    await keys.add(secret, Key(secret, server.org, "public", 1, 1, restrictions=restrictions or None))
    return {"authorization": f"Bearer {secret}", "origin": PAGE, "x-client-id": "vapi-widget"}


async def test_a_page_writes_with_a_public_key_and_its_session_goes_on_by_itself(server: Any) -> None:
    await server.store("assistant", "shop-1", **ASSISTANT)
    headers = await public_key(server)
    body = {"assistantId": "shop-1", "input": "Hi", "assistantOverrides": {"variableValues": {"who": "Ada"}}}
    first = await server.client.post("/chat/web", json=body, headers=headers)
    assert first.status_code == 201, first.text
    assert set(first.json()) == {"id", "sessionId", "output"}
    assert first.headers["access-control-allow-origin"] == "*"
    session_id = first.json()["sessionId"]
    second = await server.client.post("/chat/web", json={**body, "sessionId": session_id}, headers=headers)
    assert second.json()["sessionId"] == session_id
    assert len(server.answering.read) == 3
    assert server.answering.asked[-1][0].assistant.model.messages[0].content == "You serve Ada."
    server.clock["ms"] += 86_400_000
    third = await server.client.post("/chat/web", json={**body, "sessionId": session_id}, headers=headers)
    assert third.json()["sessionId"] != session_id, "one that has expired is followed by a new one"


async def test_a_page_reads_a_stream_and_may_ask_first(server: Any) -> None:
    headers = await public_key(server)
    asking = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-client-id",
    }
    assert (await server.client.options("/chat/web", headers=asking)).status_code == 200
    body = {"assistant": ASSISTANT, "input": "Hi", "stream": True}
    events = events_of((await server.client.post("/chat/web", json=body, headers=headers)).text)
    assert json.loads(events[0][1])["sessionId"]
    assert set(json.loads(events[-2][1])["chat"]) == {"id", "sessionId", "output"}
    response = await server.client.post("/chat/web/responses", json={**body, "stream": False}, headers=headers)
    assert response.json()["output"][0]["content"][0]["text"] == "Hello you."


async def test_a_page_ends_its_session(server: Any) -> None:
    headers = await public_key(server)
    body = {"assistant": ASSISTANT, "input": "Hi"}
    session_id = (await server.client.post("/chat/web", json=body, headers=headers)).json()["sessionId"]
    asked = len(server.answering.asked)
    end = {"sessionId": session_id, "input": "bye", "sessionEnd": True}
    response = await server.client.post("/chat/web", json=end, headers=headers)
    assert (response.status_code, response.json()["output"]) == (201, [])
    assert len(server.answering.asked) == asked
    assert (await server.client.get(f"/session/{session_id}")).json()["status"] == "completed"


async def test_a_public_key_may_do_no_more_than_it_says(server: Any) -> None:
    for name in ("shop-1", "other"):
        await server.store("assistant", name, **ASSISTANT)
    headers = await public_key(server, allowedAssistantIds=["shop-1"], allowedOrigins=[PAGE])
    forbidden: list[tuple[Json, dict[str, str]]] = [
        ({"assistantId": "other"}, {}),
        ({"assistant": ASSISTANT}, {}),
        ({"assistantId": "shop-1"}, {"origin": "https://evil.example"}),
    ]
    response = await server.client.post("/session", json={"assistantId": "other"})
    forbidden.append(({"sessionId": response.json()["id"]}, {}))
    for body, more in forbidden:
        answer = await server.client.post("/chat/web", json={"input": "Hi", **body}, headers={**headers, **more})
        assert answer.status_code == 403, (body, answer.text)
    for path in ("/chat", "/session", "/chat/responses"):
        answer = await server.client.post(path, json={"assistantId": "shop-1", "input": "Hi"}, headers=headers)
        assert answer.status_code == 403
    overrides = {"model": {"messages": []}}
    body = {"assistantId": "shop-1", "input": "Hi", "assistantOverrides": overrides}
    assert (await server.client.post("/chat/web", json=body, headers=headers)).status_code == 403
    assert not server.answering.asked


async def test_hooks_on_its_creation_put_their_messages_into_a_session(server: Any) -> None:
    added = {"type": "message.add", "message": {"role": "system", "content": "She is called {{name}}."}}
    hooks = [{"on": "session.created", "do": [added, {"type": "say", "exact": "Hello."}]}]
    body = {
        "assistant": {"hooks": hooks},
        "assistantOverrides": {"variableValues": {"name": "Ada"}},
        "messages": [{"role": "user", "content": "hi"}],
    }
    session = (await server.client.post("/session", json=body)).json()
    assert [(each["role"], each["content"]) for each in session["messages"]] == [
        ("user", "hi"),
        ("system", "She is called Ada."),
        ("assistant", "Hello."),
    ]
