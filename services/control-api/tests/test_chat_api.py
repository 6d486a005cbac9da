"""Chats over HTTP, on a real database, with an orchestrator in memory."""

import json
from typing import Any

import pytest
from writing import ASSISTANT, WITH_TOOL, Json, events_of, refused, session_of, written

from voxbus_contracts.events import ChatEnded
from voxbus_control_api.errors import Unavailable


async def test_a_chat_is_answered_kept_listed_and_deleted(server: Any) -> None:
    chat = await written(server, assistant=ASSISTANT, name="first", metadata={"a": 1})
    assert chat["output"] == [{"role": "assistant", "content": "Hello you."}]
    assert chat["messages"] == [{"role": "user", "content": "Hi"}]
    assert (chat["name"], chat["metadata"], chat["input"], chat["orgId"]) == ("first", {"a": 1}, "Hi", server.org)
    assert not [name for name in chat if name.startswith("_")]
    assert server.answering.chats[-1].is_closed
    assert (await server.client.get(f"/chat/{chat['id']}")).json() == chat
    page = (await server.client.get("/chat", params={"limit": 1})).json()
    assert page["results"] == [chat]
    assert (page["metadata"]["totalItems"], page["metadata"]["currentPage"]) == (1, 1)
    assert (await server.client.delete(f"/chat/{chat['id']}")).json()["id"] == chat["id"]
    assert (await server.client.get(f"/chat/{chat['id']}")).status_code == 404


async def test_the_worker_is_told_the_assistant_with_overrides_and_variables_and_by_when(server: Any) -> None:
    overrides = {"variableValues": {"who": "Ada"}, "model": {"maxTokens": 99}}
    await written(server, assistant=ASSISTANT, assistantOverrides=overrides)
    config, requested = server.answering.asked[-1]
    assert config.is_chat
    assert config.stages == ("llm-orchestrator",)
    assert config.assistant.model.messages[0].content == "You serve Ada."
    assert config.assistant.model.max_tokens == 99
    assert requested.answer_by_ms == server.clock["ms"] + 60_000
    assert server.answering.read == [("user", "Hi")]


async def test_secrets_of_an_assistant_are_sealed_on_the_bus(server: Any) -> None:
    tool = {"type": "function", "function": {"name": "t"}, "server": {"url": "https://a.example", "secret": "hush"}}
    await written(server, assistant={"model": {"tools": [tool]}})
    assert b"hush" not in server.answering.asked[-1][0].payload()


async def test_a_stored_assistant_and_a_squads_first_member_can_be_written_to(server: Any) -> None:
    await server.store("assistant", "shop-1", **ASSISTANT)
    chat = await written(server, assistantId="shop-1")
    assert chat["assistantId"] == "shop-1"
    await server.store("squad", "squad-1", members=[{"assistantId": "shop-1"}])
    await written(server, squadId="squad-1")
    assert server.answering.asked[-1][0].assistant_id == "shop-1"


async def test_messages_can_be_written_in_every_way_clients_do(server: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "status", "arguments": '{"order": 1}'}}
    messages = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "input_text", "text": "Where is "}, {"type": "text", "text": "it?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Friday"},
        {"role": "bot", "message": "On Friday."},
    ]
    await written(server, assistant=ASSISTANT, input=messages)
    lines = server.answering.asked[-1][1].lines
    assert [line.role for line in lines] == ["system", "user", "assistant", "tool", "assistant"]
    assert lines[1].content == "Where is it?"
    assert lines[2].tool_calls[0].arguments == {"order": 1}
    assert lines[3].tool_name == "status"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"input": "Hi"}, "one of assistantId"),
        ({"assistant": {}, "input": ""}, "input"),
        ({"assistant": {}}, "input"),
        ({"assistant": {}, "input": 7}, "input"),
        ({"assistant": {}, "input": []}, "input"),
        ({"assistant": {}, "input": [{"role": "pirate", "content": "Hi"}]}, "input.0.role"),
        ({"assistant": {}, "input": [{"role": "user"}]}, "input.0.content"),
        ({"assistant": {}, "input": [{"role": "tool", "content": "x"}]}, "input.0.tool_call_id"),
        ({"assistant": {}, "input": [{"role": "user", "content": [{"type": "image"}]}]}, "input.0.content.0"),
        ({"assistant": {}, "input": ["Hi"]}, "input.0"),
        ({"assistant": {}, "assistantId": "x", "input": "Hi"}, "must not be given together"),
        ({"sessionId": "x", "previousChatId": "y", "input": "Hi"}, "sessionId and previousChatId"),
        ({"assistant": {"model": {"temperature": 9}}, "input": "Hi"}, "model.temperature"),
        ({"assistant": {}, "assistantOverrides": {"variableValues": 1}, "input": "Hi"}, "variableValues"),
        ({"assistant": {}, "input": "Hi", "stream": "yes"}, "stream"),
        ({"assistant": {}, "input": "Hi", "name": "n" * 41}, "name"),
        ({"workflowId": "x", "input": "Hi"}, "workflowId"),
    ],
)
async def test_what_is_wrong_with_a_chat_is_named(server: Any, body: Json, named: str) -> None:
    message = await refused(server, 400, **body)
    assert any(named in problem for problem in message), message
    assert not server.answering.asked


async def test_what_is_not_there_is_a_404(server: Any) -> None:
    for name in ("assistantId", "sessionId", "previousChatId", "squadId"):
        await refused(server, 404, **{name: "nope", "input": "Hi"})
    for path in ("/chat/nope", "/session/nope"):
        assert (await server.client.get(path)).status_code == 404
        assert (await server.client.delete(path)).status_code == 404


async def test_no_other_organisation_sees_or_carries_on_a_conversation(server: Any) -> None:
    chat, session = await written(server, assistant=ASSISTANT), await session_of(server)
    for path in (f"/chat/{chat['id']}", f"/session/{session['id']}"):
        assert (await server.client.get(path, headers=server.theirs)).status_code == 404
        assert (await server.client.delete(path, headers=server.theirs)).status_code == 404
    patch = await server.client.patch(f"/session/{session['id']}", json={"name": "x"}, headers=server.theirs)
    assert patch.status_code == 404
    for more in ({"previousChatId": chat["id"]}, {"sessionId": session["id"]}):
        answer = await server.client.post("/chat", json={"input": "Hi", **more}, headers=server.theirs)
        assert answer.status_code == 404
    assert (await server.client.get("/chat", headers=server.theirs)).json()["results"] == []


async def test_a_chat_that_follows_another_knows_what_was_said_tools_and_all(server: Any) -> None:
    server.answering.ended = WITH_TOOL
    first = await written(server, assistant=ASSISTANT, input="Where is it?")
    assert first["output"][1] == {"role": "tool", "content": "on Friday", "tool_call_id": "call_1_1", "name": "status"}
    server.answering.ended = None
    await written(server, previousChatId=first["id"], input="Thanks.")
    assert [role for role, _ in server.answering.read] == ["user", "assistant", "tool", "assistant", "user"]
    config, requested = server.answering.asked[-1]
    assert requested.lines[1].tool_calls[0].name == "status"
    assert config.assistant.name == "Shop"


async def test_too_long_a_conversation_is_refused_before_it_reaches_the_bus(server: Any) -> None:
    server.answering.pieces = ["x" * 90_000]
    session = await session_of(server)
    for _ in range(7):
        await written(server, sessionId=session["id"])
    message = await refused(server, 400, sessionId=session["id"], input="y" * 80_000)
    assert "conversation" in message[0]


# --- what goes wrong ---


async def test_a_model_that_fails_is_told_with_a_status_no_client_repeats(server: Any) -> None:
    server.answering.pieces = []
    server.answering.ended = ChatEnded(error="model-failed", detail="openai: is down")
    for more in ({}, {"stream": True}):
        message = await refused(server, 424, assistant=ASSISTANT, input="Hi", **more)
        assert "openai: is down" in message
    chats = (await server.client.get("/chat")).json()["results"]
    assert [chat["output"] for chat in chats] == [[], []]
    message = await refused(server, 400, previousChatId=chats[0]["id"], input="Hi")
    assert "has not been answered" in message[0]


async def test_without_a_worker_or_a_bus_it_is_worth_trying_again(server: Any) -> None:
    server.answering.pieces = []
    server.answering.ended = ChatEnded(error="no-worker")
    await refused(server, 503, assistant=ASSISTANT, input="Hi")
    server.answering.is_away = True
    await refused(server, 503, assistant=ASSISTANT, input="Hi")


async def test_a_stream_that_breaks_off_says_why(server: Any) -> None:
    server.answering.pieces = ["Hello "]
    server.answering.ended = Unavailable("the bus does not answer; try again")
    response = await server.client.post("/chat", json={"assistant": ASSISTANT, "input": "Hi", "stream": True})
    events = events_of(response.text)
    assert [kind for kind, _ in events] == ["message", "error", "message"]
    assert json.loads(events[1][1])["statusCode"] == 503
    assert events[2][1] == "[DONE]"
    assert server.answering.chats[-1].is_closed


# --- streams ---


async def test_a_stream_has_the_shape_the_widget_reads(server: Any) -> None:
    session = await session_of(server)
    body = {"sessionId": session["id"], "input": "Hi", "stream": True}
    response = await server.client.post("/chat", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response.text)
    first = json.loads(events[0][1])
    assert first == {
        "id": first["id"],
        "sessionId": session["id"],
        "path": "chat.output[0].content",
        "delta": "Hello ",
    }
    assert [kind for kind, _ in events] == ["message", "message", "end", "message"]
    end = json.loads(events[2][1])
    assert end["chat"]["output"] == [{"role": "assistant", "content": "Hello you."}]
    assert {"delta", "output"}.isdisjoint(end), "the widget would show it once more"
    assert events[3][1] == "[DONE]"


async def test_an_answer_without_words_is_a_stream_all_the_same(server: Any) -> None:
    server.answering.pieces = []
    response = await server.client.post("/chat", json={"assistant": ASSISTANT, "input": "Hi", "stream": True})
    assert [kind for kind, _ in events_of(response.text)] == ["end", "message"]


async def test_openais_words(server: Any) -> None:
    body = {"assistant": ASSISTANT, "model": "gpt-4o", "instructions": "Be short."}
    whole = await written(server, "/chat/responses", **body)
    assert whole["output"][0]["content"][0]["text"] == "Hello you."
    assert (whole["object"], whole["status"], whole["error"]) == ("response", "completed", None)
    assert server.answering.read == [("system", "Be short."), ("user", "Hi")]
    again = await written(server, "/chat/responses", model="gpt-4o", previous_response_id=whole["id"])
    assert server.answering.read[:3] == [("system", "Be short."), ("user", "Hi"), ("assistant", "Hello you.")]
    assert again["id"] != whole["id"]
    response = await server.client.post("/chat/responses", json={**body, "input": "Hi", "stream": True})
    events = [(kind, json.loads(data)) for kind, data in events_of(response.text)]
    assert [kind for kind, _ in events] == [event["type"] for _, event in events]
    assert events[-1][1]["response"]["output"][0]["content"][0]["text"] == "Hello you."
    assert [event["sequence_number"] for _, event in events] == list(range(len(events)))
