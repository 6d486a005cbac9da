"""Everything that may be said on the bus, by name."""

from typing import Final

from pydantic import ValidationError

from voxbus_contracts import events
from voxbus_contracts.commands import ALL_COMMANDS
from voxbus_contracts.message import Command, Event, Message
from voxbus_contracts.privacy import MARK_BYTES, without_sealed

ALL_EVENTS: Final[tuple[type[Event], ...]] = tuple(
    value for name in events.__all__ if issubclass(value := getattr(events, name), Event)
)

_BY_NAME: Final[dict[tuple[str, str], type[Message]]] = {
    (message.kind, message.name()): message for message in (*ALL_EVENTS, *ALL_COMMANDS)
}


class UnknownMessage(ValueError):
    """The subject names no message of the catalogue (perhaps a newer producer's): readers skip it."""


class BadPayload(ValueError):
    """The payload does not fit its schema; the text names the fields, never their values."""


def message_type(kind: str, name: str) -> type[Message]:
    """`("event", "transcript.final")` → TranscriptFinal; raises UnknownMessage."""
    found = _BY_NAME.get((kind, name))
    if found is None:
        raise UnknownMessage(f"no {kind} is called {name!r}")
    return found


def decode(kind: str, name: str, payload: bytes) -> Message:
    """JSON → message; raises UnknownMessage or BadPayload. What is sealed is left out of it: open it before."""
    model = message_type(kind, name)
    try:
        if MARK_BYTES in payload:
            payload = without_sealed(model, payload)
        return model.model_validate_json(payload)
    except ValidationError as wrong:
        fields = ", ".join(
            f"{'.'.join(map(str, e['loc'])) or 'payload'}: {e['msg']}" for e in wrong.errors(include_input=False)
        )
        raise BadPayload(f"{kind} {name}: {fields}") from None


__all__ = ["ALL_COMMANDS", "ALL_EVENTS", "BadPayload", "Command", "Event", "UnknownMessage", "decode", "message_type"]
