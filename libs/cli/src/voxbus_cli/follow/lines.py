"""One message of the bus as a line for a person or for a program. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from voxbus_contracts import BadEnvelope, Envelope, UnknownMessage, read_envelope
from voxbus_contracts.catalogue import message_type
from voxbus_contracts.subjects import parse

_LONGEST_VALUE: Final = 80
_STAGE_WIDTH: Final = 16
_NAME_WIDTH: Final = 21


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """What was read from the bus; `fields` is the payload, or empty when it is no JSON object."""

    kind: str
    name: str
    envelope: Envelope
    fields: Mapping[str, Any]
    org: str = ""


def read_message(subject: str, headers: Mapping[str, str] | None, payload: bytes) -> SeenMessage | None:
    """Takes a message apart without the catalogue, so that newer producers' messages show too; None = no call's."""
    try:
        parsed = parse(subject)
        envelope = read_envelope(headers)
    except (BadEnvelope, ValueError):
        return None
    try:
        fields = json.loads(payload)
    except ValueError:
        fields = None
    name = f"{parsed.entity}.{parsed.what}"
    return SeenMessage(parsed.kind, name, envelope, fields if isinstance(fields, dict) else {}, parsed.ref.org)


def readable(message: SeenMessage, since_ms: int) -> str:
    """`  12.345 s  vad              speech.started        speech_seq=1 pts_ms=1240`"""
    at_s = (message.envelope.occurred_at_ms - since_ms) / 1000
    name = message.name if message.kind == "event" else f"→ {message.name}"
    usual = _usual_fields(message)
    told = ((key, value) for key, value in message.fields.items() if key not in usual or usual[key] != value)
    fields = " ".join(f"{key}={_short(value)}" for key, value in told)
    return f"{at_s:9.3f} s  {message.envelope.stage:<{_STAGE_WIDTH}} {name:<{_NAME_WIDTH}} {fields}".rstrip()


def as_json(message: SeenMessage) -> str:
    """All of it on one line."""
    envelope = message.envelope
    return json.dumps(
        {
            "time_ms": envelope.occurred_at_ms,
            "kind": message.kind,
            "name": message.name,
            "stage": envelope.stage,
            "producer": envelope.producer,
            "epoch": envelope.epoch,
            "number": envelope.number,
            "event_id": envelope.event_id,
            "fields": dict(message.fields),
        },
        ensure_ascii=False,
    )


def _usual_fields(message: SeenMessage) -> dict[str, object]:
    """What a field holds when nobody has set it: a line for a person leaves that out."""
    try:
        fields = message_type(message.kind, message.name).model_fields
    except UnknownMessage:
        return {}
    return {name: field.default for name, field in fields.items() if not field.is_required()}


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
