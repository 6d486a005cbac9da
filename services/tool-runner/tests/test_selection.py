import json
from typing import Any

import pytest

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig, MessageServer
from voxbus_tool_runner.errors import ServerMissing, ToolUnknown
from voxbus_tool_runner.known_calls import KnownCall
from voxbus_tool_runner.selection import Target, message_of, target_of, tool_of

COMMAND = RunTool(tool_call_id="call_2_1", tool_name="order_status", arguments={"order": "4711"}, timeout_ms=20_000)
FUNCTION = {"name": "order_status", "description": "d", "parameters": {"type": "object"}}


def config(assistant: dict[str, object]) -> CallConfig:
    return CallConfig(
        org="acme",
        call="11111111-1111-4111-8111-1111111111ab",
        created_at_ms=1,
        assistant_id="a1",
        assistant=Assistant.model_validate(assistant),
        variables={"name": "Ann"},
    )


def with_tool(**tool: object) -> dict[str, object]:
    return {"model": {"tools": [{"type": "function", "function": FUNCTION, **tool}]}}


def target(assistant: dict[str, object]) -> Target:
    made = config(assistant)
    return target_of(made, COMMAND, tool_of(made, COMMAND))


def test_a_tools_own_server_goes_before_the_assistants() -> None:
    both = {**with_tool(server={"url": "https://tool.example"}), "server": {"url": "https://assistant.example"}}
    assert target(both).url == "https://tool.example"
    only_one = {**with_tool(), "server": {"url": "https://assistant.example"}}
    assert target(only_one).url == "https://assistant.example"


def test_a_tool_without_any_server_of_its_assistant_asks_the_calls() -> None:
    authentication = {"type": "bearer", "token": "sealed:v1:abc"}
    server = {"server": {"url": "https://number.example", "timeoutSeconds": 2}, "authentication": authentication}
    made = config(with_tool()).model_copy(update={"message_server": MessageServer.model_validate(server)})
    found = target_of(made, COMMAND, tool_of(made, COMMAND))
    assert (found.url, found.authentication, found.timeout_ms) == ("https://number.example", authentication, 2_000)
    own = config({**with_tool(), "server": {"url": "https://assistant.example"}})
    own = own.model_copy(update={"message_server": made.message_server})
    assert target_of(own, COMMAND, tool_of(own, COMMAND)).url == "https://assistant.example"


def test_an_older_function_is_asked_for_by_function_call() -> None:
    made = config(with_tool(server={"url": "https://tool.example"}, serverMessage="function-call"))
    message = message_of(made, COMMAND, tool_of(made, COMMAND), 1_700, {})["message"]
    assert message["type"] == "function-call"
    assert message["functionCall"] == {"name": "order_status", "parameters": {"order": "4711"}}


def test_the_stricter_limit_of_command_and_server_counts() -> None:
    quick = with_tool(server={"url": "https://tool.example", "timeoutSeconds": 3})
    assert target(quick).timeout_ms == 3_000
    slow = with_tool(server={"url": "https://tool.example", "timeoutSeconds": 120})
    assert target(slow).timeout_ms == 20_000


def test_what_cannot_be_run_is_named() -> None:
    with pytest.raises(ServerMissing, match="order_status has no server"):
        target(with_tool())
    with pytest.raises(ToolUnknown, match="no tool called order_status"):
        target({})


def body_for(assistant: dict[str, Any], now_ms: int) -> dict[str, Any]:
    call = KnownCall(config(assistant), 0.0)
    return message_of(call.config, COMMAND, tool_of(call.config, COMMAND), now_ms, call.about(None))


def test_the_message_carries_every_shape_of_a_tool_call() -> None:
    assistant = with_tool(server={"url": "https://tool.example"}, messages=[{"type": "request-start"}])
    message = body_for(assistant, 1_700)["message"]
    assert message["type"] == "tool-calls"
    assert message["timestamp"] == 1_700
    (listed,) = message["toolCallList"]
    assert listed["id"] == "call_2_1"
    assert listed["function"] == {"name": "order_status", "arguments": {"order": "4711"}}
    assert listed["name"] == "order_status"
    assert listed["arguments"] == listed["parameters"] == {"order": "4711"}
    assert message["toolCalls"] == [listed]
    (with_schema,) = message["toolWithToolCallList"]
    assert with_schema["function"]["parameters"] == {"type": "object"}
    assert with_schema["async"] is False
    assert with_schema["messages"] == [{"type": "request-start"}]
    assert with_schema["toolCall"] == listed
    assert message["call"]["id"] == "11111111-1111-4111-8111-1111111111ab"
    assert message["call"]["assistantOverrides"] == {"variableValues": {"name": "Ann"}}
    assert message["assistant"]["id"] == "a1"


def test_no_sealed_secret_leaves_in_the_body() -> None:
    sealed = "sealed:v1:abc"
    server = {"url": "https://tool.example", "secret": sealed, "headers": {"authorization": sealed, "x-plain": "1"}}
    assistant = {**with_tool(server=server), "server": server, "credentials": [{"apiKey": sealed}, sealed]}
    body = body_for(assistant, 1)
    assert "sealed" not in json.dumps(body)
    assert body["message"]["assistant"]["server"]["headers"] == {"x-plain": "1"}
