"""Tools that the call itself carries out or forbids, in virtual time; the tool is wanted at 2500."""

from typing import Any

import pytest
from virtual_call import VirtualCall
from virtual_log import fold

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.tool import RejectionPlan
from voxbus_llm_orchestrator.discovered import with_discovered
from voxbus_llm_orchestrator.plan import Plan, plan_of
from voxbus_llm_orchestrator.rejection import REJECTED, is_rejected
from voxbus_llm_orchestrator.rows_acts import NO_KEYS
from voxbus_providers.model import Turn

BYE: dict[str, Any] = {
    "type": "regex",
    "regex": r"(?i)\bbye\b",
    "target": {"role": "user", "position": -1},
    "negate": True,
}


def assistant_with(*tools: dict[str, Any], **fields: Any) -> Assistant:
    return Assistant.model_validate(
        {"firstMessageMode": "assistant-waits-for-user", "model": {"tools": list(tools)}, **fields}
    )


def plan_with(*tools: dict[str, Any], **fields: Any) -> Plan:
    return plan_of(CallConfig(org="o", call="c", created_at_ms=1, assistant=assistant_with(*tools, **fields)), 500)


def called(plan: Plan, name: str, arguments: dict[str, Any] | None = None, *answers: list[object]) -> VirtualCall:
    virtual = VirtualCall(plan, [[(name, arguments or {})], *(answers or [["It is done."]])])
    virtual.attach()
    virtual.caller_says("please do it", 1_000, 1_000)
    return virtual


def finished(virtual: VirtualCall) -> list[e.ToolFinished]:
    return [each for each in virtual.said(e.ToolFinished) if isinstance(each, e.ToolFinished)]


def heard(virtual: VirtualCall) -> list[str]:
    return [reply.heard for _, reply in sorted(virtual.state.replies.items()) if reply.heard]


# --- keys ---


def test_keys_are_pressed_once_the_line_is_free_then_the_model_goes_on() -> None:
    virtual = called(plan_with({"type": "dtmf"}), "dtmf", {"keys": "1w2#"}).run(15_000)
    (say,) = [m for m in virtual.said(c.SaySentence) if isinstance(m, c.SaySentence) and m.keys]
    assert (say.keys, say.text, say.interruptible, say.reflex) == ("1w2#", "", False, "none")
    (pressed,) = virtual.said(e.KeysPressed)
    assert isinstance(pressed, e.KeysPressed)
    assert pressed.digits == "1w2#"
    assert [each.result for each in finished(virtual)] == ["Pressed 1w2#."]
    assert heard(virtual) == ["It is done."]
    assert virtual.said(c.RunTool) == []
    assert virtual.rescues == []
    assert fold(virtual.log) == virtual.state


@pytest.mark.parametrize("keys", ["", "12x", "1" * 101])
def test_what_are_no_keys_is_told_to_the_model(keys: str) -> None:
    virtual = called(plan_with({"type": "dtmf"}), "dtmf", {"keys": keys}).run(10_000)
    assert [each.error for each in finished(virtual)] == [NO_KEYS]
    assert virtual.said(e.KeysPressed) == []


# --- voicemail ---


@pytest.mark.parametrize(
    ("tool", "fields", "said"),
    [
        ({"messages": [{"type": "request-start", "content": "Please call back."}]}, {}, ["Please call back."]),
        ({}, {"voicemailMessage": "It is the shop."}, ["It is the shop."]),
        ({}, {}, []),
    ],
)
def test_the_message_for_a_machine_is_left_and_the_call_ends(
    tool: dict[str, Any], fields: dict[str, Any], said: list[str]
) -> None:
    virtual = called(plan_with({"type": "voicemail", **tool}, **fields), "voicemail").run(15_000)
    (ended,) = virtual.said(e.CallEnded)
    assert isinstance(ended, e.CallEnded)
    assert ended.reason == "voicemail"
    assert heard(virtual) == said


# --- rejections ---


def test_a_rejected_call_is_not_run_and_the_model_is_told() -> None:
    look = {"type": "function", "function": {"name": "look"}, "rejectionPlan": {"conditions": [BYE]}}
    virtual = called(plan_with(look), "look", {}, ["I must not."]).run(10_000)
    assert virtual.said(c.RunTool) == []
    assert [each.error for each in finished(virtual)] == [REJECTED]
    assert heard(virtual) == ["I must not."]


@pytest.mark.parametrize(
    ("conditions", "rejected"),
    [
        ([BYE], True),
        ([{**BYE, "negate": False}], False),
        ([{"type": "regex", "regex": "order"}], True),
        ([{"type": "regex", "regex": "order", "target": {"role": "assistant"}}], False),
        ([{"type": "regex", "regex": "order", "target": {"position": 0}}], True),
        ([{"type": "regex", "regex": "order", "target": {"position": 9}}], False),
        ([{"type": "liquid", "liquid": "{% if tier == 'gold' %}true{% endif %}"}], True),
        ([{"type": "liquid", "liquid": "{{ messages | size | at_least: 3 }}"}], False),
        ([{"type": "group", "operator": "OR", "conditions": [{**BYE, "negate": False}, BYE]}], True),
        ([{"type": "group", "operator": "AND", "conditions": [{**BYE, "negate": False}, BYE]}], False),
        ([BYE, {"type": "regex", "regex": "zebra"}], False),
        ([{"type": "regex", "regex": "("}], False),
        ([{"type": "odd"}], False),
        ([], False),
    ],
)
def test_all_conditions_must_hold(conditions: list[dict[str, Any]], rejected: bool) -> None:
    said = [Turn("user", "where is my order"), Turn("assistant", "It ships."), Turn("user", "thanks")]
    plan = RejectionPlan.model_validate({"conditions": conditions})
    assert is_rejected(plan, said, {"tier": "gold"}, 1) is rejected


# --- tools of MCP servers ---

MCP: dict[str, Any] = {"type": "mcp", "server": {"url": "https://mcp.example"}}
FOUND = e.ToolsDiscovered(tool=0, tools=(e.DiscoveredTool(name="find", remote_name="f.ind", description="Finds"),))


def test_a_server_is_asked_once_as_soon_as_there_is_a_call_and_the_model_waits_for_it_a_little() -> None:
    virtual = VirtualCall(plan_with(MCP), [["Hello."]])
    virtual.attach()
    virtual.caller_says("hello", 1_000, 1_000)
    virtual.run(12_000)
    (asked,) = virtual.said(c.DiscoverTools)
    assert isinstance(asked, c.DiscoverTools)
    assert asked.tool == 0
    assert asked.pts_ms < 500
    assert heard(virtual) == ["Hello."]
    assert fold(virtual.log) == virtual.state


def test_what_was_found_is_offered_and_run_under_its_own_name() -> None:
    quiet = {**MCP, "toolMessages": [{"name": "f.ind", "messages": []}]}
    assistant = with_discovered(assistant_with(quiet, {"type": "endCall"}), {0: FOUND.tools})
    *_, found = assistant.model.tools
    assert (found.name, found.messages) == ("find", ())
    config = CallConfig(org="o", call="c", created_at_ms=1, assistant=assistant)
    virtual = called(plan_of(config, 500), "find", {"order": "1"})
    virtual.happens(500, "tool-runner", FOUND)
    virtual.run(4_000)
    (order,) = virtual.said(c.RunTool)
    assert isinstance(order, c.RunTool)
    assert order.remote is not None
    assert (order.remote.tool, order.remote.name) == (0, "f.ind")
