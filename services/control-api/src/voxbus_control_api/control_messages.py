"""What may be posted to a call's control address → the command it means. Pure."""

from typing import Any

from voxbus_contracts import Command
from voxbus_contracts.commands import AddMessage, ControlCall, EndCall, SayOnCall
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.overrides import without_nulls
from voxbus_control_api.problems import validated

_LATER = ("transfer", "handoff", "send-transport-message")


def command_of(body: dict[str, Any]) -> Command:
    """`say`, `add-message`, `control`, `end-call` (or `hangup`); raises BadRequest."""
    given = without_nulls(body)
    kind = given.get("type")
    match kind:
        case "say":
            return _say(given)
        case "add-message":
            return _add_message(given)
        case "control":
            return validated(ControlCall, {"control": given.get("control")})
        case "end-call" | "hangup":
            return EndCall(reason="manually-canceled")
        case str() if kind in _LATER:
            raise BadRequest(f"type {kind} is not supported by this server yet")
        case _:
            raise BadRequest("type must be one of say, add-message, control, end-call")


def _say(given: dict[str, Any]) -> SayOnCall:
    """The text is in `content`, or in `message` as the web client sends it."""
    content = given.get("content", given.get("message"))
    if not isinstance(content, str) or not content.strip():
        raise BadRequest("content must be a text")
    _check_flags(given, "endCallAfterSpoken", "interruptionsEnabled", "interruptAssistantEnabled")
    fields = {
        "content": content,
        "end_call_after_spoken": given.get("endCallAfterSpoken", False),
        "interruptions_enabled": given.get("interruptionsEnabled", True),
        "interrupt_assistant": given.get("interruptAssistantEnabled", False),
    }
    return validated(SayOnCall, fields)


def _add_message(given: dict[str, Any]) -> AddMessage:
    message = given.get("message")
    if not isinstance(message, dict):
        raise BadRequest("message must be an object with role and content")
    _check_flags(given, "triggerResponseEnabled")
    fields = {
        "role": message.get("role"),
        "content": message.get("content"),
        "trigger_response": given.get("triggerResponseEnabled", True),
    }
    return validated(AddMessage, fields, "message")


def _check_flags(given: dict[str, Any], *names: str) -> None:
    problems = [f"{name} must be a boolean" for name in names if not isinstance(given.get(name, True), bool)]
    if problems:
        raise BadRequest(*problems)
