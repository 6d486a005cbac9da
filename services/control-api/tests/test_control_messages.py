from typing import Any

import pytest

from voxbus_contracts.commands import AddMessage, ControlCall, EndCall, HandOffCall, SayOnCall, TransferCall
from voxbus_control_api.control_messages import command_of
from voxbus_control_api.errors import BadRequest


def test_say_takes_its_text_from_content_or_message() -> None:
    assert command_of({"type": "say", "content": "One moment."}) == SayOnCall(content="One moment.")
    web = {
        "type": "say",
        "message": "Bye.",
        "endCallAfterSpoken": True,
        "interruptionsEnabled": False,
        "interruptAssistantEnabled": True,
    }
    assert command_of(web) == SayOnCall(
        content="Bye.", end_call_after_spoken=True, interruptions_enabled=False, interrupt_assistant=True
    )


def test_messages_controls_and_endings_become_commands() -> None:
    added = {"type": "add-message", "message": {"role": "system", "content": "VIP"}, "triggerResponseEnabled": False}
    assert command_of(added) == AddMessage(role="system", content="VIP", trigger_response=False)
    assert command_of({"type": "control", "control": "mute-assistant"}) == ControlCall(control="mute-assistant")
    assert command_of({"type": "end-call"}) == command_of({"type": "hangup"}) == EndCall(reason="manually-canceled")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "type must be one of"),
        ({"type": 3}, "type must be one of"),
        ({"type": "transfer"}, "destination must be an object"),
        ({"type": "transfer", "destination": {"type": "number"}}, "destination.number is required"),
        ({"type": "handoff", "destination": {"type": "sip", "sipUri": "sip:a"}}, "destination.type must be one of"),
        ({"type": "send-transport-message"}, "is not supported yet"),
        ({"type": "say"}, "content must be a string"),
        ({"type": "say", "content": " "}, "content must not be empty"),
        ({"type": "say", "content": "x", "endCallAfterSpoken": "yes"}, "endCallAfterSpoken must be true or false"),
        ({"type": "add-message", "message": "hi"}, "message must be an object"),
        ({"type": "add-message", "message": {"role": "robot", "content": "x"}}, "message.role must be"),
        ({"type": "control", "control": "dance"}, "control must be"),
    ],
)
def test_what_is_no_command_is_refused_by_field(body: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        command_of(body)


def test_every_field_that_is_wrong_is_named() -> None:
    message = {"role": "robot", "content": ""}
    with pytest.raises(BadRequest) as refused:
        command_of({"type": "add-message", "message": message, "triggerResponseEnabled": 1})
    assert refused.value.problems == [
        "triggerResponseEnabled must be true or false",
        "message.role must be one of: system, user, assistant",
        "message.content must not be empty",
    ]


def test_transfers_and_handoffs_become_commands_with_their_destination_as_it_came() -> None:
    number = {"type": "number", "number": "+14155550123", "extension": "7"}
    assert command_of({"type": "transfer", "destination": number}) == TransferCall(destination=number)
    billing = {"type": "assistant", "assistantName": "billing"}
    told = command_of({"type": "handoff", "destination": billing, "content": "One moment."})
    assert told == HandOffCall(destination=billing, content="One moment.")
