"""How the tests of chats write to assistants, and read what comes."""

from typing import Any

from voxbus_contracts.events import ChatEnded, ChatLine, ChatToolCall

Json = dict[str, Any]

ASSISTANT: Json = {"name": "Shop", "model": {"messages": [{"role": "system", "content": "You serve {{who}}."}]}}

WITH_TOOL = ChatEnded(
    lines=(
        ChatLine(
            role="assistant",
            content="One moment.",
            tool_calls=(ChatToolCall(id="call_1_1", name="status", arguments={"order": "4711"}),),
        ),
        ChatLine(role="tool", content="on Friday", tool_call_id="call_1_1", tool_name="status"),
        ChatLine(role="assistant", content="It ships on Friday."),
    )
)


async def written(server: Any, path: str = "/chat", **body: Any) -> Json:
    response = await server.client.post(path, json={"input": "Hi", **body})
    assert response.status_code == 201, response.text
    return response.json()


async def refused(server: Any, status: int, path: str = "/chat", /, **body: Any) -> Any:
    response = await server.client.post(path, json=body)
    assert response.status_code == status, response.text
    assert response.json()["statusCode"] == status
    return response.json()["message"]


async def session_of(server: Any, **body: Any) -> Json:
    response = await server.client.post("/session", json={"assistant": ASSISTANT, **body})
    assert response.status_code == 201, response.text
    return response.json()


def events_of(text: str) -> list[tuple[str, str]]:
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields.get("event", "message"), fields["data"]))
    return found
