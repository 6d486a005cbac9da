"""An assistant by text: asked over HTTP, answered by the orchestrator, with tools, whole or piece by piece."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from assistants import scripted
from bus_watch import BusWatch, in_order
from stack import Stack

from voxbus_contracts.identity import DEMO_ASSISTANT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

Json = dict[str, Any]


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {stack.key}"}
    async with httpx.AsyncClient(base_url=stack.api, headers=headers, timeout=30, trust_env=False) as client:
        yield client


async def written(client: httpx.AsyncClient, path: str = "/chat", **body: Any) -> Json:
    response = await client.post(path, json=body)
    assert response.status_code == 201, response.text
    return response.json()


async def streamed(
    client: httpx.AsyncClient, path: str = "/chat", at_first: Callable[[], object] = lambda: None, **body: Any
) -> list[tuple[str, str]]:
    """(event, data) of each server-sent event, `message` without a name. `at_first` when the first one comes."""
    events: list[tuple[str, str]] = []
    async with client.stream("POST", path, json={"stream": True, **body}) as response:
        assert response.status_code == 201, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        kind = "message"
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                if not events:
                    at_first()
                events.append((kind, line.removeprefix("data: ")))
            elif not line:
                kind = "message"
    return events


def said(chat: Json) -> str:
    return " ".join(line["content"] for line in chat["output"] if line["role"] == "assistant" and line["content"])


async def test_the_demo_assistant_looks_an_order_up_and_all_of_it_is_on_the_bus_and_on_the_bill(
    client: httpx.AsyncClient, watch: BusWatch
) -> None:
    chat = await written(client, assistantId=DEMO_ASSISTANT, input="Where is my order 4711?")
    roles = [line["role"] for line in chat["output"]]
    assert roles == ["assistant", "tool", "assistant"], chat["output"]
    (call,) = chat["output"][0]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("order_status", {"order": "4711"})
    assert chat["output"][1]["tool_call_id"] == call["id"]
    assert "4711" in chat["output"][2]["content"] or "order" in chat["output"][2]["content"].lower()
    assert chat["messages"] == [{"role": "user", "content": "Where is my order 4711?"}]
    in_order(
        await watch.names(chat["id"]),
        "chat.requested",
        "stage.claimed",
        "reply.started",
        "chat.worded",
        "tool.requested",
        "tool.run",
        "tool.finished",
        "reply.started",
        "chat.worded",
        "chat.ended",
    )
    async with asyncio.timeout(15):
        while "chat" not in {row["type"] for row in chat["costs"]}:
            await asyncio.sleep(0.1)
            chat = (await client.get(f"/chat/{chat['id']}")).json()
    (model,) = [row for row in chat["costs"] if row["type"] == "model"]
    assert model["promptTokens"] > 0
    assert model["completionTokens"] > 0


async def test_the_pieces_of_a_streamed_answer_are_the_answer(client: httpx.AsyncClient) -> None:
    events = await streamed(client, assistantId=DEMO_ASSISTANT, input="Where is my order 4711?")
    pieces = [json.loads(data) for kind, data in events if kind == "message" and data != "[DONE]"]
    (end,) = [json.loads(data) for kind, data in events if kind == "end"]
    assert events[-1] == ("message", "[DONE]")
    assert {piece["path"] for piece in pieces} == {"chat.output[0].content"}
    assert {piece["id"] for piece in pieces} == {end["id"]} == {end["chat"]["id"]}
    assert "".join(piece["delta"] for piece in pieces).split() == said(end["chat"]).split()
    kept = (await client.get(f"/chat/{end['id']}")).json()
    assert kept["output"] == end["chat"]["output"]


async def test_a_conversation_goes_on_by_the_chat_before_and_by_a_session(client: httpx.AsyncClient) -> None:
    remembers = scripted(
        {"when": r"my name is (?P<name>\w+)", "say": "Hello {{name}}."},
        {"when": "what is my name", "requires": ["name"], "say": "You are {{name}}."},
    )
    first = await written(client, assistant=remembers, input="My name is Ada.")
    second = await written(client, previousChatId=first["id"], input="What is my name?")
    assert said(second) == "You are Ada."
    session = (await client.post("/session", json={"assistant": remembers, "name": "test"})).json()
    await written(client, sessionId=session["id"], input="My name is Grace.")
    chat = await written(client, sessionId=session["id"], input="What is my name?")
    assert said(chat) == "You are Grace."
    kept = (await client.get(f"/session/{session['id']}")).json()
    assert [line["content"] for line in kept["messages"]] == [
        "My name is Grace.",
        "Hello Grace.",
        "What is my name?",
        "You are Grace.",
    ]
    listed = (await client.get("/chat", params={"sessionId": session["id"]})).json()
    assert listed["results"][0]["id"] == chat["id"]
    assert listed["metadata"]["totalItems"] == 2


async def test_openais_client_reads_the_answer_where_it_looks_for_it(client: httpx.AsyncClient) -> None:
    assistant = scripted({"when": "france", "say": "Paris."})
    asked = {"assistant": assistant, "model": "gpt-4o", "input": "What is the capital of France?"}
    whole = await written(client, "/chat/responses", **asked)
    assert (whole["object"], whole["status"], whole["model"]) == ("response", "completed", "gpt-4o")
    assert whole["output"][0]["content"][0] == {"type": "output_text", "text": "Paris.", "annotations": []}
    events = [json.loads(data) for _, data in await streamed(client, "/chat/responses", **asked)]
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == "response.completed"
    assert "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta") == "Paris."
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


async def test_a_model_that_is_not_there_is_told_and_nothing_hangs(client: httpx.AsyncClient) -> None:
    assistant = {"model": {"provider": "custom-llm", "model": "x", "url": "http://127.0.0.1:9/v1"}}
    for more in ({}, {"stream": True}):
        response = await client.post("/chat", json={"assistant": assistant, "input": "Hello?", **more})
        assert response.status_code == 424, response.text
        assert "custom-llm" in response.json()["message"]


async def test_an_answer_is_whole_and_said_once_although_the_orchestrator_is_killed_while_it_is_written(
    stack: Stack, client: httpx.AsyncClient, watch: BusWatch
) -> None:
    story = "The first part is here. The second part follows now. The third part comes last of all."
    assistant = scripted({"when": "story", "say": story})
    assistant["model"]["script"]["pace"] = {"firstTokenMs": 50, "tokenMs": 100}

    def kill() -> None:
        stack.signal("llm-orchestrator", signal.SIGKILL)

    asking = streamed(client, at_first=kill, assistant=assistant, input="Tell me a story.")
    events = await asyncio.wait_for(asking, 30)
    pieces = [json.loads(data) for kind, data in events if kind == "message" and data != "[DONE]"]
    assert "".join(piece["delta"] for piece in pieces) == story, "nothing doubled, nothing lost"
    names = await watch.names(pieces[0]["id"])
    assert names.count("stage.claimed") == 2
    assert names.count("chat.ended") == 1


async def test_a_tool_runs_once_although_the_orchestrator_is_killed_while_it_runs(
    stack: Stack, client: httpx.AsyncClient, watch: BusWatch
) -> None:
    asked: list[str] = []
    ran = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split("\r\n")[0])
        message = json.loads(await reader.readexactly(length))["message"]
        call_id = message["toolCallList"][0]["id"]
        asked.append(call_id)
        ran.set()
        await asyncio.sleep(1.5)
        body = json.dumps({"results": [{"toolCallId": call_id, "result": "on Friday"}]}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/tool"
    assistant = scripted(
        {"afterTool": "status", "say": "It ships {{result}}."},
        {"when": "order", "say": "One moment.", "call": {"name": "status"}},
    )
    assistant["model"]["tools"] = [{"type": "function", "function": {"name": "status"}, "server": {"url": url}}]
    async with server:
        asking = asyncio.create_task(written(client, assistant=assistant, input="Where is my order?"))
        await asyncio.wait_for(ran.wait(), 15)
        stack.signal("llm-orchestrator", signal.SIGKILL)
        chat = await asyncio.wait_for(asking, 30)
    assert said(chat) == "One moment. It ships on Friday."
    assert asked == ["call_1_1"]
    assert (await watch.names(chat["id"])).count("tool.run") == 1
