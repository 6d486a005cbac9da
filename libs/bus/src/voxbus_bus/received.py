"""A stored message as a handler gets it."""

from collections.abc import Mapping
from dataclasses import dataclass

from voxbus_contracts import BadEnvelope, BadPayload, CallRef, Envelope, Message, UnknownMessage, decode, read_envelope
from voxbus_contracts.catalogue import message_type
from voxbus_contracts.privacy import MARK_BYTES, without_sealed
from voxbus_contracts.subjects import parse


@dataclass(frozen=True, slots=True)
class Received:
    """An event or command, decoded. Delivered at least once and in any order; `stream_seq` is its place in EVENTS.

    `is_after_gap`: between the one before and this one the consumer gave something to another reader.
    """

    ref: CallRef
    envelope: Envelope
    message: Message
    payload: bytes
    stream_seq: int
    delivery: int = 1
    is_after_gap: bool = False

    @property
    def name(self) -> str:
        """`tool.run`"""
        return self.message.name()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message nobody can handle, now or later; `problem` names fields and headers, never values."""

    subject: str
    problem: str


def read(
    subject: str, headers: Mapping[str, str] | None, payload: bytes, stream_seq: int, delivery: int
) -> Received | Unreadable:
    """Takes a stored message apart; never raises. What is sealed is left out, of the payload too."""
    try:
        parsed = parse(subject)
        envelope = read_envelope(headers)
        name = f"{parsed.entity}.{parsed.what}"
        if MARK_BYTES in payload:
            payload = without_sealed(message_type(parsed.kind, name), payload)
        message = decode(parsed.kind, name, payload)
    except (BadEnvelope, BadPayload, UnknownMessage, ValueError) as wrong:
        return Unreadable(subject, str(wrong))
    return Received(parsed.ref, envelope, message, payload, stream_seq, delivery)
