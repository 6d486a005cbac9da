"""Tools named by id reach the call's configuration."""

from typing import Any

import pytest

from voxbus_control_api.calls.stored_tools import tool_ids, with_stored_tools
from voxbus_control_api.errors import BadRequest

WEBSOCKET = {"provider": "vapi.websocket"}
LOOKUP = {"type": "function", "function": {"name": "look_up"}, "server": {"url": "https://shop.example/a"}}


def test_named_tools_stand_behind_those_given_each_once() -> None:
    assistant = {"model": {"tools": [{"type": "endCall"}], "toolIds": ["b", "a", "b"], "toolRefs": [{"toolId": "a"}]}}
    assert tool_ids([assistant, {"model": {"toolIds": ["c"]}}, {}, {"model": 5}]) == ["b", "a", "c"]
    out = with_stored_tools(assistant, {"a": LOOKUP, "b": {"type": "dtmf"}}, "assistant")
    assert out["model"]["tools"] == [{"type": "endCall"}, {"type": "dtmf", "id": "b"}, {**LOOKUP, "id": "a"}]
    assert out["model"]["toolIds"] == ["b", "a", "b"]
    with pytest.raises(BadRequest) as refused:
        with_stored_tools(assistant, {"a": LOOKUP}, "assistantId")
    assert refused.value.problems == [
        "assistantId.model.toolIds.0 must be the id of a tool",
        "assistantId.model.toolIds.2 must be the id of a tool",
    ]


async def test_a_call_gets_the_tools_its_assistant_and_its_overrides_name(server: Any) -> None:
    lookup = (await server.client.post("/tool", json=LOOKUP)).json()
    keys = (await server.client.post("/tool", json={"type": "endCall"})).json()
    stored = {"model": {"toolIds": [lookup["id"]]}, "firstMessage": "Hi"}
    assistant = (await server.client.post("/assistant", json=stored)).json()
    call = {"assistantId": assistant["id"], "transport": WEBSOCKET}
    response = await server.client.post("/call", json=call)
    assert response.status_code == 201, response.text
    (tool,) = server.bus.configs[-1].assistant.model.tools
    assert (tool.name, tool.server.url) == ("look_up", "https://shop.example/a")
    over = {"assistantOverrides": {"model": {"toolIds": [keys["id"]]}}}
    assert (await server.client.post("/call", json={**call, **over})).status_code == 201
    (tool,) = server.bus.configs[-1].assistant.model.tools
    assert tool.type == "endCall"
    await server.client.delete(f"/tool/{lookup['id']}")
    refused = await server.client.post("/call", json=call)
    assert refused.status_code == 400
    assert refused.json()["message"] == ["assistantId.model.toolIds.0 must be the id of a tool"]


async def test_tools_of_another_organisation_are_no_tools(server: Any) -> None:
    lookup = (await server.client.post("/tool", json=LOOKUP)).json()
    body = {"assistant": {"model": {"toolIds": [lookup["id"]]}}, "transport": WEBSOCKET}
    assert (await server.client.post("/call", json=body)).status_code == 201
    assert (await server.client.post("/call", json=body, headers=server.theirs)).status_code == 400


async def test_a_call_reads_the_structured_outputs_its_assistant_names_and_brings(server: Any) -> None:
    output = {"name": "order", "schema": {"type": "integer"}, "description": "its number"}
    stored = (await server.client.post("/structured-output", json=output)).json()
    plan = {
        "structuredOutputIds": [stored["id"]],
        "structuredOutputs": [{"name": "mood", "schema": {"type": "string"}}],
    }
    call = {"assistant": {"artifactPlan": plan}, "transport": WEBSOCKET}
    response = await server.client.post("/call", json=call)
    assert response.status_code == 201, response.text
    own, named = server.bus.configs[-1].assistant.artifact_plan.structured_outputs
    assert (own.name, bool(own.id)) == ("mood", True)
    assert (named.id, named.name, named.schema_) == (stored["id"], "order", {"type": "integer"})
    plan["structuredOutputIds"] = ["nobody"]
    refused = await server.client.post("/call", json=call)
    assert refused.status_code == 400
    assert "assistant.artifactPlan.structuredOutputIds.0 must be the id of a structured output" in refused.text


async def test_a_hook_gets_the_tool_it_names_and_the_model_does_not(server: Any) -> None:
    lookup = (await server.client.post("/tool", json=LOOKUP)).json()
    hook = {"on": "call.timeElapsed", "options": {"seconds": 5}, "do": [{"type": "tool", "toolId": lookup["id"]}]}
    call = {"assistant": {"hooks": [hook]}, "transport": WEBSOCKET}
    response = await server.client.post("/call", json=call)
    assert response.status_code == 201, response.text
    assistant = server.bus.configs[-1].assistant
    assert not assistant.model.tools
    assert [tool.name for tool in assistant.hook_tools] == ["look_up"]
    hook["do"][0]["toolId"] = "nobody"
    refused = await server.client.post("/call", json=call)
    assert refused.status_code == 400
    assert "assistant.hooks.0.do.0.toolId must be the id of a tool" in refused.text
