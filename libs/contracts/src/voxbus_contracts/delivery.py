"""A message on its way to a customer's server, as it lies in the stream of deliveries or of dead letters.

The subject says which call and which target, the headers all else but the body, which is sent as it is.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.destination import FIRST
from voxbus_contracts.envelope import EVENT_ID
from voxbus_contracts.subjects import CallRef, parse_delivery

SERVER: Final = "server"
"""The target of a call's server messages."""
AGAIN: Final = "again"
"""The target of messages that were given up once and are sent again: no new message waits for them."""

_ID: Final = "Vb-Delivery"
_TYPE: Final = "Vb-Message"
_PLACE: Final = "Vb-Place"
_PREVIOUS: Final = "Vb-Previous"
_MADE_AT: Final = "Vb-Time"
_MEMBER: Final = "Vb-Member"
_ENCODING: Final = "Vb-Encoding"
_DEFLATED: Final = "deflate"
_DEFLATE_FROM_BYTES: Final = 65_536
"""The bus takes 1 MiB a message; a long conversation is more, and shrinks to a tenth."""

_REASON: Final = "Vb-Reason"
_STATUS: Final = "Vb-Status"
_ATTEMPTS: Final = "Vb-Attempts"
_FAILED_AT: Final = "Vb-Failed-At"


class BadDelivery(ValueError):
    """A message without the headers a delivery carries, or whose body is broken; the text names the header."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a message came from: the sequence of an event in EVENTS, and its number among that event's messages."""

    stream_seq: int
    index: int

    def __str__(self) -> str:
        return f"{self.stream_seq}.{self.index}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. `body` is what the server gets; `made_at_ms` since the epoch.

    `previous_seq` is the sequence in DELIVERIES of the message before it to the same target, 0 = it is the first.
    `member` is the key of the call's assistant whose server it goes to.
    """

    ref: CallRef
    target: str
    type: str
    place: Place
    made_at_ms: int
    body: bytes
    previous_seq: int = 0
    member: str = FIRST

    @property
    def id(self) -> str:
        """The same whoever makes it, and however often."""
        return f"{self.ref.call}.{self.place}"

    @property
    def subject(self) -> str:
        return self.ref.delivery(self.target)

    def headers(self) -> dict[str, str]:
        out = {
            EVENT_ID: f"{self.target}.{self.id}",
            _ID: self.id,
            _TYPE: self.type,
            _PLACE: str(self.place),
            _PREVIOUS: str(self.previous_seq),
            _MADE_AT: str(self.made_at_ms),
            _MEMBER: self.member,
        }
        return out | ({_ENCODING: _DEFLATED} if self._is_long else {})

    def payload(self) -> bytes:
        return zlib.compress(self.body, 6) if self._is_long else self.body

    @property
    def _is_long(self) -> bool:
        return len(self.body) >= _DEFLATE_FROM_BYTES


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that was given up; `status` 0 = there was no answer, `reason` is a code of the deliverer's."""

    delivery: Delivery
    reason: str
    status: int
    attempts: int
    failed_at_ms: int

    @property
    def subject(self) -> str:
        """Always the first target's: sent again and given up again it is the same dead letter."""
        return self.delivery.ref.dead_letter(SERVER)

    def headers(self) -> dict[str, str]:
        return {
            **self.delivery.headers(),
            EVENT_ID: f"dead.{self.delivery.target}.{self.delivery.id}.{self.failed_at_ms}",
            _REASON: self.reason,
            _STATUS: str(self.status),
            _ATTEMPTS: str(self.attempts),
            _FAILED_AT: str(self.failed_at_ms),
        }


def read_delivery(subject: str, headers: Mapping[str, str] | None, payload: bytes) -> Delivery:
    """Raises BadDelivery."""
    found = headers or {}
    try:
        ref, target = parse_delivery(subject)
        seq, _, index = found[_PLACE].partition(".")
        return Delivery(
            ref=ref,
            target=target,
            type=found[_TYPE],
            place=Place(int(seq), int(index)),
            made_at_ms=int(found[_MADE_AT]),
            body=zlib.decompress(payload) if found.get(_ENCODING) == _DEFLATED else payload,
            previous_seq=int(found[_PREVIOUS]),
            member=found.get(_MEMBER, FIRST),
        )
    except KeyError as missing:
        raise BadDelivery(f"header {missing.args[0]} is missing") from missing
    except (ValueError, zlib.error) as wrong:
        raise BadDelivery(f"a delivery that nobody can read: {wrong}") from wrong


def read_dead_letter(subject: str, headers: Mapping[str, str] | None, payload: bytes) -> DeadLetter:
    """Raises BadDelivery."""
    found = headers or {}
    delivery = read_delivery(subject, found, payload)
    try:
        return DeadLetter(
            delivery=delivery,
            reason=found[_REASON],
            status=int(found[_STATUS]),
            attempts=int(found[_ATTEMPTS]),
            failed_at_ms=int(found[_FAILED_AT]),
        )
    except (KeyError, ValueError) as wrong:
        raise BadDelivery(f"a dead letter that nobody can read: {wrong}") from wrong
