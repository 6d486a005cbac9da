"""What clients may tell a call (say, add-message, control, end-call, …) → the command it means. Pure.

Source: the public API's inbound client messages. The same objects come as text frames of the WebSocket transport, as
what a web page sends, and as the body of a POST to `monitor.controlUrl`. Texts of problems never repeat what was sent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from voxbus_contracts.commands import AddMessage, Control, ControlCall, HandOffCall, Role, SayOnCall, TransferCall
from voxbus_contracts.message import Command

MAX_CONTENT_CHARACTERS: Final = 32_000
NOT_SUPPORTED: Final = "not-supported"

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hangup:
    """The client ends the call: `end-call` or `hangup`."""

    type: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `code` for programs, `field` with its path, `what` for people, after the field."""

    code: str
    field: str
    what: str

    @property
    def sentence(self) -> str:
        return f"{self.field} {self.what}"


class BadInbound(ValueError):
    """The object makes no sense; every field that is wrong is named."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(each.sentence for each in problems))
        self.problems = problems


Inbound = Command | Hangup


def read_inbound(fields: Fields) -> Inbound:
    """Takes one object apart; a field that is null counts as left out. Raises BadInbound."""
    asked = _Asked({name: value for name, value in fields.items() if value is not None})
    kind = asked.fields.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str):
        known = f"must be one of: {', '.join(_READERS)}"
        asked.refuse("type", known, "missing-field" if kind is None else "wrong-type")
    elif kind in _NOT_YET:
        asked.refuse("type", f"{kind} is not supported yet; the call goes on unchanged", NOT_SUPPORTED)
    elif reader is None:
        asked.refuse("type", f"must be one of: {', '.join((*_READERS, *_NOT_YET))}", "unknown-type")
    made = reader(asked) if reader is not None else None
    if asked.problems or made is None:
        raise BadInbound(asked.problems)
    return made


class _Asked:
    """The fields of one object, and what is wrong with them so far."""

    def __init__(self, fields: Fields, path: str = "", problems: list[Problem] | None = None) -> None:
        self.fields = fields
        self.problems: list[Problem] = [] if problems is None else problems
        self._path = path

    def refuse(self, key: str, what: str, code: str) -> None:
        self.problems.append(Problem(code, f"{self._path}{key}", what))

    def text(self, key: str) -> str:
        """ "" where it is refused."""
        value = self.fields.get(key)
        if not isinstance(value, str):
            self.refuse(key, "must be a string", "missing-field" if value is None else "wrong-type")
        elif not value.strip():
            self.refuse(key, "must not be empty", "wrong-value")
        elif len(value) > MAX_CONTENT_CHARACTERS:
            told = f"has {len(value)} characters; at most {MAX_CONTENT_CHARACTERS} are taken"
            self.refuse(key, told, "too-long")
        elif any("\ud800" <= character <= "\udfff" for character in value):
            self.refuse(key, "holds half of a surrogate pair, which is no text", "wrong-value")
        else:
            return value
        return ""

    def flag(self, key: str, default: bool) -> bool:
        value = self.fields.get(key, default)
        if not isinstance(value, bool):
            self.refuse(key, "must be true or false", "wrong-type")
            return default
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str | None:
        value = self.fields.get(key)
        if value in choices:
            return cast(str, value)
        self.refuse(key, f"must be one of: {', '.join(choices)}", "missing-field" if value is None else "unknown-value")
        return None

    def text_or_none(self, key: str) -> str | None:
        """Left out = None; empty stays empty."""
        value = self.fields.get(key)
        return value if value is None or value == "" else self.text(key)

    def inner(self, key: str, example: str) -> "_Asked | None":
        value = self.fields.get(key)
        if isinstance(value, dict):
            return _Asked(cast(Fields, value), f"{self._path}{key}.", self.problems)
        code = "missing-field" if value is None else "wrong-type"
        self.refuse(key, f"must be an object like {example}", code)
        return None


def _say(asked: _Asked) -> SayOnCall | None:
    """The text is in `content`, or in `message` as the web client sends it."""
    key = "content" if "content" in asked.fields or "message" not in asked.fields else "message"
    content = asked.text(key)
    flags = {
        "end_call_after_spoken": asked.flag("endCallAfterSpoken", False),
        "interruptions_enabled": asked.flag("interruptionsEnabled", True),
        "interrupt_assistant": asked.flag("interruptAssistantEnabled", False),
    }
    return None if asked.problems else SayOnCall(content=content, **flags)


def _add_message(asked: _Asked) -> AddMessage | None:
    triggers = asked.flag("triggerResponseEnabled", True)
    message = asked.inner("message", '{"role": "system", "content": "…"}')
    if message is None:
        return None
    role, content = message.choice("role", get_args(Role)), message.text("content")
    return None if asked.problems else AddMessage(role=cast(Role, role), content=content, trigger_response=triggers)


def _control(asked: _Asked) -> ControlCall | None:
    control = asked.choice("control", get_args(Control))
    return ControlCall(control=cast(Control, control)) if control is not None else None


def _transfer(asked: _Asked) -> TransferCall | None:
    destination, content = _destination(asked, _TARGETS), asked.text_or_none("content")
    return None if asked.problems else TransferCall(destination=destination, content=content)


def _handoff(asked: _Asked) -> HandOffCall | None:
    destination, content = _destination(asked, {"assistant": _TARGETS["assistant"]}), asked.text_or_none("content")
    return None if asked.problems else HandOffCall(destination=destination, content=content)


def _destination(asked: _Asked, targets: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    inner = asked.inner("destination", '{"type": "assistant", "assistantName": "billing"}')
    kind = inner.choice("type", tuple(targets)) if inner is not None else None
    if inner is None or kind is None:
        return {}
    names = targets[kind]
    if not any(inner.fields.get(name) for name in names):
        inner.refuse(names[0], f"is required: a destination of type {kind} has {' or '.join(names)}", "missing-field")
    return dict(inner.fields)


def _hang_up(asked: _Asked) -> Hangup:
    return Hangup(asked.fields["type"])


_NOT_YET: Final = ("send-transport-message",)
_TARGETS: Final[Mapping[str, tuple[str, ...]]] = {
    "number": ("number",),
    "sip": ("sipUri",),
    "assistant": ("assistantId", "assistantName", "assistant"),
}
_READERS: Final[Mapping[str, Callable[[_Asked], Inbound | None]]] = {
    "say": _say,
    "add-message": _add_message,
    "control": _control,
    "transfer": _transfer,
    "handoff": _handoff,
    "end-call": _hang_up,
    "hangup": _hang_up,
}
