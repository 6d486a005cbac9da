from dataclasses import replace
from typing import Any

import pytest
from virtual_call import VirtualCall
from virtual_log import fold, shuffled

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig, Member
from voxbus_llm_orchestrator.cast import Cast
from voxbus_llm_orchestrator.conversation import messages_for
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import CallState

CALL = "0b6c4a34-3f55-4f38-a15e-2f4be0a1f0c7"

TRIAGE: dict[str, Any] = {
    "name": "triage",
    "firstMessage": "Hello.",
    "model": {
        "messages": [{"role": "system", "content": "You sort calls."}],
        "tools": [
            {
                "type": "handoff",
                "destinations": [
                    {
                        "type": "assistant",
                        "assistantName": "billing desk",
                        "member": "1",
                        "variableExtractionPlan": {
                            "schema": {"type": "object", "properties": {"account": {"type": "string"}}},
                            "aliases": [{"key": "label", "value": "account {{ $.account }}"}],
                        },
                    },
                    {"type": "dynamic"},
                ],
            },
            {
                "type": "transferCall",
                "destinations": [
                    {"type": "number", "number": "+14155550100", "description": "the desk"},
                    {"type": "assistant", "assistantName": "billing desk", "member": "1", "message": ""},
                ],
            },
        ],
    },
}
BILLING: dict[str, Any] = {
    "name": "billing desk",
    "firstMessage": "Billing for {{ account }} here.",
    "model": {"messages": [{"role": "system", "content": "You do bills for {{ account }}."}]},
}


def config_of(triage: dict[str, Any], billing: dict[str, Any] = BILLING, **more: Any) -> CallConfig:
    member = Member(key="1", assistant=Assistant.model_validate(billing))
    assistant = Assistant.model_validate(triage)
    return CallConfig(org="org-1", call=CALL, created_at_ms=1, assistant=assistant, members=(member,), **more)


def handing(context: dict[str, Any] | None = None, **destination: Any) -> dict[str, Any]:
    """Triage with one destination."""
    found = {"type": "assistant", "assistantName": "billing desk", "member": "1", **destination}
    if context is not None:
        found["contextEngineeringPlan"] = context
    model = {**TRIAGE["model"], "tools": [{"type": "handoff", "destinations": [found]}]}
    return {**TRIAGE, "model": model}


def cast_of(config: CallConfig) -> Cast:
    return Cast(config, lambda assistant: assistant, 300)


def plans_of(config: CallConfig) -> dict[str, Plan]:
    cast = cast_of(config)
    return {key: cast.speaking(CallState(active=key))[1] for key in ("0", "1")}


def lived(config: CallConfig, answers: list[list[object]], until_ms: int = 15_000) -> VirtualCall:
    """The caller says one sentence; the answers are the models' in order."""
    plans = plans_of(config)
    call = VirtualCall(plans["0"], answers)
    call.plans = plans
    call.attach()
    call.caller_says("about my bill", 1_500)
    call.caller_says("and my address", 9_000)
    return call.run(until_ms)


def completed(call: VirtualCall) -> e.HandoffCompleted:
    (event,) = call.said(e.HandoffCompleted)
    assert isinstance(event, e.HandoffCompleted)
    return event


def said(call: VirtualCall) -> list[str]:
    return [message.text for message in call.said(c.SaySentence) if isinstance(message, c.SaySentence)]


def test_a_function_is_offered_for_each_assistant_and_its_variables_are_its_parameters() -> None:
    assistant, plan = cast_of(config_of(TRIAGE)).speaking(CallState())
    offered = {tool.name: tool.function for tool in assistant.model.tools}
    assert list(offered) == ["handoff_to_billing_desk", "handoff", "transferCall"]
    assert offered["handoff_to_billing_desk"].parameters["properties"] == {"account": {"type": "string"}}  # type: ignore[union-attr]
    choices = offered["transferCall"].parameters["properties"]["destination"]["enum"]  # type: ignore[union-attr]
    assert choices == ["+14155550100", "billing desk"]
    assert plan.moving.names == {"0": "triage", "1": "billing desk"}


def test_the_new_assistant_speaks_when_the_old_one_has_said_its_sentence() -> None:
    call = lived(config_of(TRIAGE), [["I connect you.", ("handoff_to_billing_desk", {"account": "A7"})], ["Fine."]])
    event = completed(call)
    assert (event.from_assistant, event.to_assistant, event.member) == ("triage", "billing desk", "1")
    assert event.variables == {"account": "A7", "label": "account A7"}
    sentences = [(m.utterance_seq, m.text) for m in call.said(c.SaySentence) if isinstance(m, c.SaySentence)]
    assert event.from_utterance_seq == 3
    assert [text for _, text in sentences][:2] == ["Hello.", "I connect you."]
    assert sentences[2][0] == 3
    played = [m for m in call.said(e.PlaybackFinished) if isinstance(m, e.PlaybackFinished) and m.utterance_seq == 2]
    assert played[0].pts_ms <= event.pts_ms
    assert not call.said(c.RunTool)


def test_a_first_message_that_is_a_template_knows_what_the_handoff_extracted() -> None:
    config = config_of(TRIAGE)
    state = CallState(active="1", variables={"account": "A7"})
    assert cast_of(config).speaking(state)[1].first_message == "Billing for A7 here."


@pytest.mark.parametrize("mode", ["assistant-speaks-first-with-model-generated-message", "assistant-speaks-first"])
def test_a_silent_handoff_is_answered_by_the_new_assistants_model(mode: str) -> None:
    quiet = {**BILLING, "firstMessage": "", "firstMessageMode": mode}
    call = lived(config_of(handing(), quiet), [[("handoff_to_billing_desk", {})], ["Your bill is paid."]])
    assert said(call)[:2] == ["Hello.", "Your bill is paid."]
    assert call.state.replies[3].turn == 1


def test_an_assistant_that_waits_for_the_caller_says_nothing_after_a_handoff() -> None:
    waits = {**BILLING, "firstMessageMode": "assistant-waits-for-user"}
    call = lived(config_of(handing(), waits), [[("handoff_to_billing_desk", {})], ["Your address is fine."]])
    assert said(call)[:2] == ["Hello.", "Your address is fine."]


def test_a_transfer_says_so_and_ends_the_call_as_forwarded() -> None:
    call = lived(config_of(TRIAGE), [[("transferCall", {"destination": "+14155550100"})]])
    assert said(call) == ["Hello.", "Transferring the call now"]
    (gone,) = call.said(e.CallTransferred)
    assert isinstance(gone, e.CallTransferred)
    assert gone.destination == "+14155550100"
    assert call.end_reason == "assistant-forwarded-call"


def test_a_transfer_to_an_assistant_with_an_empty_message_is_a_silent_handoff() -> None:
    call = lived(config_of(TRIAGE), [[("transferCall", {"destination": "billing desk"})]])
    assert completed(call).member == "1"
    assert "Transferring the call now" not in said(call)


def test_a_destination_there_is_not_is_told_to_the_model() -> None:
    call = lived(config_of(TRIAGE), [[("transferCall", {"destination": "the moon"})], ["I cannot do that."]])
    (refused,) = call.said(e.HandoffRefused)
    assert isinstance(refused, e.HandoffRefused)
    assert "I cannot do that." in said(call)
    assert not call.state.ended


@pytest.mark.parametrize("is_own", [True, False])
def test_a_server_that_forwards_itself_is_asked_to_and_the_call_goes_on(*, is_own: bool) -> None:
    server = {"server": {"url": "https://shop.example"}}
    subscribed = {**TRIAGE, "serverMessages": ["phone-call-control"], **(server if is_own else {})}
    calls_own = {} if is_own else {"message_server": server}
    call = lived(config_of(subscribed, **calls_own), [[("transferCall", {"destination": "+14155550100"})], ["No."]])
    (asked,) = call.said(e.CallControlRequested)
    assert isinstance(asked, e.CallControlRequested)
    assert asked.destination == {"type": "number", "number": "+14155550100", "description": "the desk"}
    assert not call.said(e.CallTransferred)
    assert not call.state.ended


def test_a_dynamic_destination_is_asked_for_and_followed() -> None:
    config = config_of(TRIAGE)
    plans = plans_of(config)
    call = VirtualCall(plans["0"], [[("handoff", {"area": "north"})]])
    call.plans = plans
    call.attach()
    call.caller_says("about my bill", 1_500)
    told = e.DestinationResolved(
        cause="call_2_1", destination={"type": "assistant", "member": "1"}, message="One moment."
    )
    call.happens(4_000, "control-api", told)
    call.run(12_000)
    (find,) = call.said(c.FindDestination)
    assert isinstance(find, c.FindDestination)
    assert (find.request, find.tool_name, find.parameters) == ("handoff", "handoff", {"area": "north"})
    assert completed(call).member == "1"
    assert "One moment." in said(call)


def test_nobody_saying_where_to_leaves_the_call_where_it_is() -> None:
    call = lived(config_of(TRIAGE), [[("handoff", {})], ["Nobody is there."]], 40_000)
    assert not call.said(e.HandoffCompleted)
    assert "Nobody is there." in said(call)


def test_an_order_from_outside_hands_the_call_over() -> None:
    config = config_of(TRIAGE)
    plans = plans_of(config)
    call = VirtualCall(plans["0"])
    call.plans = plans
    call.attach()
    order = c.HandOffCall(destination={"type": "assistant", "assistantName": "Billing Desk"}, content="Wait a bit.")
    call.happens(1_000, "control-api", order)
    call.run(8_000)
    assert said(call)[:2] == ["Hello.", "Wait a bit."]
    assert completed(call).cause == next(each.event_id for each in call.log if each.message == order)


CONTEXTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "all"}, ["You do bills for .", "Hello.", "about my bill", "I connect you.", "Handed off."]),
    ({"type": "none"}, ["You do bills for ."]),
    ({"type": "lastNMessages", "maxMessages": 2}, ["You do bills for .", "I connect you.", "Handed off."]),
    ({"type": "lastNMessages", "maxMessages": 1}, ["You do bills for ."]),
    (
        {"type": "userAndAssistantMessages"},
        ["You do bills for .", "Hello.", "about my bill", "I connect you."],
    ),
    (
        {"type": "previousAssistantMessages"},
        ["You do bills for .", "Hello.", "about my bill", "I connect you.", "Handed off."],
    ),
]


@pytest.mark.parametrize(("context", "told"), CONTEXTS)
def test_the_new_model_is_told_what_the_context_mode_says(context: dict[str, Any], told: list[str]) -> None:
    assert _told_after(handing(context)) == told


LEGACY = [
    ("rolling-history", ["You sort calls.", "Hello.", "about my bill", "I connect you.", "Handed off."]),
    ("swap-system-message-in-history", ["You do bills for .", "Hello.", "about my bill", "I connect you."]),
    ("delete-history", ["You do bills for ."]),
]


@pytest.mark.parametrize(("mode", "told"), LEGACY)
def test_the_legacy_transfer_modes_are_kept(mode: str, told: list[str]) -> None:
    assert _told_after(handing(transferMode=mode))[: len(told)] == told


def test_a_rolling_history_has_the_new_prompt_behind_what_was_said() -> None:
    assert _told_after(handing(transferMode="rolling-history"))[-1] == "You do bills for ."


def test_the_transfer_can_be_left_out_of_the_history() -> None:
    mode = "swap-system-message-in-history-and-remove-transfer-tool-messages"
    told = _told_after(handing(transferMode=mode))
    assert told == ["You do bills for .", "Hello.", "about my bill", "I connect you."]


def _told_after(triage: dict[str, Any]) -> list[str]:
    """Everything the new model is told when it greets."""
    config = config_of(triage, {**BILLING, "firstMessage": ""})
    call = lived(config, [["I connect you.", ("handoff_to_billing_desk", {})]], 7_000)
    cast = cast_of(config)
    greeting = call.state.handoffs[0].first_reply
    before = tuple(item for item in call.state.items if item.kind != "reply" or item.number <= greeting)
    unsaid = {**call.state.replies, greeting: replace(call.state.replies[greeting], utterances=())}
    state = replace(call.state, items=before, replies=unsaid)
    told = messages_for(state, cast.speaking(state)[0], greeting, cast.prompts(state))
    return [turn.content for turn in told if turn.content not in ("Yes.",)][:None]


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_a_worker_that_dies_anywhere_in_a_handoff_is_followed_by_one_that_goes_on(cut: int) -> None:
    config = config_of(TRIAGE)
    plans = plans_of(config)
    call = VirtualCall(plans["0"])
    call.answer_to = lambda text: ["I connect you.", ("handoff_to_billing_desk", {})] if text else ["Fine."]
    call.plans = plans
    call.attach()
    call.caller_says("about my bill", 1_500)
    call.worker_dies(2_500 + cut * 50)
    call.run(12_000)
    assert completed(call).member == "1"
    assert said(call)[:3] == ["Hello.", "I connect you.", "Billing for here."]
    assert sum(1 for m in call.said(e.ReplyStarted) if getattr(m, "cause", "") == "greeting:1") == 1
    assert fold(call.log) == call.state
    assert fold(shuffled(call.log, cut)) == call.state
