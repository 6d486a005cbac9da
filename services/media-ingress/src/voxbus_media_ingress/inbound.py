"""Text frames from the client (say, add-message, control, end-call, …) → commands, or an error the client can act on.

Source: the public API's inbound client messages (web SDK `send`, WebSocket transport, control URL). A frame that is
refused changes nothing else: the call and its audio go on.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from voxbus_contracts.commands import AddMessage, ControlCall, SayOnCall
from voxbus_media_ingress.errors import InboundRefused

MAX_CONTENT_CHARACTERS: Final = 32_000

Control = Literal["mute-assistant", "unmute-assistant", "mute-customer", "unmute-customer", "say-first-message"]
Role = Literal["system", "user", "assistant"]
_NOT_YET: Final = ("transfer", "handoff", "send-transport-message")


@dataclass(frozen=True, slots=True)
class Hangup:
    """The client ends the call."""

    type: str


Inbound = SayOnCall | AddMessage | ControlCall | Hangup
_Fields = dict[str, Any]


def error_text(code: str, message: str, field: str | None = None) -> str:
    """The error message of the WebSocket transport."""
    return json.dumps({"type": "error", "error": {"code": code, "message": message, "field": field}})


def read_inbound(text: str) -> Inbound:
    """Takes one text frame apart; raises InboundRefused naming the field."""
    fields = _object(text)
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise _wrong("type", "must be a string", "missing-field" if kind is None else "wrong-type")
    if kind in _NOT_YET:
        raise InboundRefused("not-supported", f"{kind} is not supported yet; the call goes on unchanged", "type")
    reader = _READERS.get(kind)
    if reader is None:
        known = ", ".join((*_READERS, *_NOT_YET))
        raise InboundRefused("unknown-type", f"type is none of: {known}", "type")
    return reader(fields)


def _object(text: str) -> _Fields:
    try:
        parsed: object = json.loads(text)
    except json.JSONDecodeError as wrong:
        raise InboundRefused(
            "malformed-json", f"not JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}"
        ) from None
    except (RecursionError, ValueError):
        raise InboundRefused(
            "malformed-json", "not JSON we can read: nested too deeply, or a number too long"
        ) from None
    if not isinstance(parsed, dict):
        raise InboundRefused("not-an-object", 'a message is an object like {"type": "say", "content": "Hello"}')
    return cast(_Fields, parsed)


def _read_say(fields: _Fields) -> SayOnCall:
    field = "content" if "content" in fields else "message"
    if field not in fields:
        raise _wrong("content", "is missing: the text to say, in content (or message)", "missing-field")
    return SayOnCall(
        content=_text(fields, field, field),
        end_call_after_spoken=_flag(fields, "endCallAfterSpoken", False),
        interruptions_enabled=_flag(fields, "interruptionsEnabled", True),
        interrupt_assistant=_flag(fields, "interruptAssistantEnabled", False),
    )


def _read_add_message(fields: _Fields) -> AddMessage:
    message = fields.get("message")
    if not isinstance(message, dict):
        code = "missing-field" if message is None else "wrong-type"
        raise _wrong("message", 'must be an object like {"role": "system", "content": "…"}', code)
    inner = cast(_Fields, message)
    role = inner.get("role")
    if role not in get_args(Role):
        raise _wrong("message.role", f"must be one of: {', '.join(get_args(Role))}", "unknown-value")
    return AddMessage(
        role=cast(Role, role),
        content=_text(inner, "content", "message.content"),
        trigger_response=_flag(fields, "triggerResponseEnabled", True),
    )


def _read_control(fields: _Fields) -> ControlCall:
    control = fields.get("control")
    if control not in get_args(Control):
        raise _wrong("control", f"must be one of: {', '.join(get_args(Control))}", "unknown-value")
    return ControlCall(control=cast(Control, control))


def _read_hangup(fields: _Fields) -> Hangup:
    return Hangup(fields["type"])


def _text(fields: _Fields, key: str, field: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise _wrong(field, "must be a string", "missing-field" if value is None else "wrong-type")
    if not value.strip():
        raise _wrong(field, "is empty", "wrong-value")
    if len(value) > MAX_CONTENT_CHARACTERS:
        raise _wrong(field, f"has {len(value)} characters; at most {MAX_CONTENT_CHARACTERS} are taken", "too-long")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _wrong(field, "holds half of a surrogate pair, which is no text", "wrong-value") from None
    return value


def _flag(fields: _Fields, key: str, default: bool) -> bool:
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _wrong(key, "must be true or false", "wrong-type")
    return value


def _wrong(field: str, what: str, code: str) -> InboundRefused:
    return InboundRefused(code, f"{field} {what}", field)


_READERS: Final[dict[str, Callable[[_Fields], Inbound]]] = {
    "say": _read_say,
    "add-message": _read_add_message,
    "control": _read_control,
    "end-call": _read_hangup,
    "hangup": _read_hangup,
}
