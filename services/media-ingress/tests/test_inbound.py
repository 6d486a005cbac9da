"""Text frames of the client."""

import json
from typing import Any

import pytest

from voxbus_contracts.commands import AddMessage, ControlCall, SayOnCall
from voxbus_contracts.told.inbound import Hangup
from voxbus_media_ingress.errors import InboundRefused
from voxbus_media_ingress.inbound import error_text, read_inbound


def read(**fields: Any) -> object:
    return read_inbound(json.dumps(fields))


def test_say_takes_content_and_the_web_sdks_message() -> None:
    assert read(type="say", content="Hello") == SayOnCall(content="Hello")
    assert read(type="say", message="Hello") == SayOnCall(content="Hello")


def test_say_takes_its_three_flags() -> None:
    said = read(
        type="say", content="Bye", endCallAfterSpoken=True, interruptionsEnabled=False, interruptAssistantEnabled=True
    )
    assert said == SayOnCall(
        content="Bye", end_call_after_spoken=True, interruptions_enabled=False, interrupt_assistant=True
    )


def test_add_message_triggers_a_response_unless_told_not_to() -> None:
    message = {"role": "system", "content": "The caller is a premium customer."}
    assert read(type="add-message", message=message) == AddMessage(role="system", content=message["content"])
    quiet = read(type="add-message", message=message, triggerResponseEnabled=False)
    assert isinstance(quiet, AddMessage) and quiet.trigger_response is False


@pytest.mark.parametrize(
    "control", ["mute-assistant", "unmute-assistant", "mute-customer", "unmute-customer", "say-first-message"]
)
def test_every_control_is_taken(control: str) -> None:
    assert read(type="control", control=control, videoRecordingStartDelaySeconds=1) == ControlCall.model_validate(
        {"control": control}
    )


@pytest.mark.parametrize("kind", ["end-call", "hangup"])
def test_the_client_may_end_the_call_in_two_words(kind: str) -> None:
    assert read(type=kind) == Hangup(kind)


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("{not json", "malformed-json", None),
        ("", "malformed-json", None),
        ("[" * 100_000, "malformed-json", None),
        ("9" * 5_000, "malformed-json", None),
        ("[1, 2]", "not-an-object", None),
        ("{}", "missing-field", "type"),
        ('{"type": 7}', "wrong-type", "type"),
        ('{"type": "sing"}', "unknown-type", "type"),
        ('{"type": "say"}', "missing-field", "content"),
        ('{"type": "say", "content": ""}', "wrong-value", "content"),
        ('{"type": "say", "message": 5}', "wrong-type", "message"),
        ('{"type": "say", "content": "\\ud800"}', "wrong-value", "content"),
        (json.dumps({"type": "say", "content": "x" * 32_001}), "too-long", "content"),
        ('{"type": "say", "content": "a", "endCallAfterSpoken": "yes"}', "wrong-type", "endCallAfterSpoken"),
        ('{"type": "add-message"}', "missing-field", "message"),
        ('{"type": "add-message", "message": "hi"}', "wrong-type", "message"),
        ('{"type": "add-message", "message": {"role": "judge", "content": "x"}}', "unknown-value", "message.role"),
        ('{"type": "add-message", "message": {"role": "user"}}', "missing-field", "message.content"),
        ('{"type": "control"}', "missing-field", "control"),
        ('{"type": "control", "control": ["mute-customer"]}', "unknown-value", "control"),
        ('{"type": "transfer", "destination": {}}', "missing-field", "destination.type"),
        ('{"type": "handoff"}', "missing-field", "destination"),
        ('{"type": "send-transport-message"}', "not-supported", "type"),
    ],
)
def test_what_makes_no_sense_is_refused_by_code_and_field(text: str, code: str, field: str | None) -> None:
    with pytest.raises(InboundRefused) as refused:
        read_inbound(text)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_refusal_never_repeats_what_was_said() -> None:
    with pytest.raises(InboundRefused) as refused:
        read_inbound('{"type": "my secret"}')
    assert "secret" not in refused.value.message


def test_the_error_message_has_code_message_and_field() -> None:
    assert json.loads(error_text("wrong-type", "x must be a string", "x")) == {
        "type": "error",
        "error": {"code": "wrong-type", "message": "x must be a string", "field": "x"},
    }
