"""An event of the log → the server-sent event that tells it. Pure.

`id` is its place in the stream: one order for all calls of an organisation, the same live, replayed and in an archive.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voxbus_contracts import BadEnvelope, CallRef, Envelope, UnknownMessage, read_envelope
from voxbus_contracts.catalogue import message_type
from voxbus_contracts.events import AnalysisCompleted, ArchiveStored, CallDeleted, CallEnded, StageClaimed
from voxbus_contracts.privacy import MARK_BYTES, redacted, without_sealed
from voxbus_contracts.subjects import parse
from voxbus_runtime.fence import Fence

HELLO: Final = "retry: 1000\n\n"
"""A client that lost the line comes back after a second."""
KEEP_ALIVE: Final = ": keep-alive\n\n"

ENDED: Final = CallEnded.name()
DELETED: Final = CallDeleted.name()
LAST: Final = frozenset({ArchiveStored.name(), AnalysisCompleted.name()})
"""Nothing of interest follows once all of them are there, in whatever order."""

_CALLS: Final = 5_000
_IDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it is sent; `name` is `transcript.final`."""

    seq: int
    ref: CallRef
    name: str
    envelope: Envelope
    text: str


def line_of(
    subject: str, headers: Mapping[str, str] | None, payload: bytes, seq: int, *, wordless: bool = False
) -> Line | None:
    """None for what is no event, or cannot be read. What is sealed is left out; `wordless`: all that is personal."""
    try:
        parsed, envelope = parse(subject), read_envelope(headers)
        name = f"{parsed.entity}.{parsed.what}"
        if parsed.kind != "event":
            return None
        if MARK_BYTES in payload:
            payload = without_sealed(message_type("event", name), payload)
        if wordless:
            payload = redacted(message_type("event", name), payload)
        if name == StageClaimed.name():
            payload = _without_address(payload)
    except (BadEnvelope, UnknownMessage, ValueError):
        return None
    told = {
        "type": name,
        "id": envelope.event_id,
        "callId": parsed.ref.call,
        "orgId": parsed.ref.org,
        "timestamp": envelope.occurred_at_ms,
        "stage": envelope.stage,
    }
    # JSON holds no line break inside a text, so those that are there may go.
    data = payload.decode().replace("\n", " ").replace("\r", " ")
    head = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return Line(seq, parsed.ref, name, envelope, f'id: {seq}\ndata: {head[:-1]},"data":{data}}}\n\n')


def lost_line(first_seq: int) -> str:
    """What a client is told whose last event the stream does not reach back to; without an id."""
    told = {
        "type": "events.lost",
        "message": f"events before {first_seq} are not kept any more: see the calls' records",
    }
    return f"data: {json.dumps(told, separators=(',', ':'))}\n\n"


class Current:
    """Which events count: none twice, none of a worker whose part of the call was another's by then."""

    def __init__(self) -> None:
        self._fences: OrderedDict[CallRef, Fence] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def knows(self, ref: CallRef) -> bool:
        return ref in self._fences

    def learn(self, claims: list[StageClaimed], ref: CallRef) -> None:
        """Who had the call's stages before the first event that is asked about."""
        fence = self._fence(ref)
        for claim in claims:
            fence.accepts(claim.stage, claim.epoch)

    def counts(self, line: Line) -> bool:
        envelope = line.envelope
        if envelope.event_id in self._ids:
            return False
        if envelope.number and not self._fence(line.ref).accepts(envelope.stage, envelope.epoch):
            return False
        self._ids[envelope.event_id] = None
        if len(self._ids) > _IDS:
            self._ids.popitem(last=False)
        return True

    def _fence(self, ref: CallRef) -> Fence:
        fence = self._fences.setdefault(ref, Fence())
        self._fences.move_to_end(ref)
        if len(self._fences) > _CALLS:
            self._fences.popitem(last=False)
        return fence


class Wanted:
    """Which types a client asked for: names, or `transcript.*`; none = all."""

    def __init__(self, asked: str) -> None:
        names = {name.strip() for name in asked.split(",") if name.strip()}
        self._entities = frozenset(name.removesuffix(".*") for name in names if name.endswith(".*"))
        self._names = frozenset(names)

    def has(self, name: str) -> bool:
        return not self._names or name in self._names or name.partition(".")[0] in self._entities


def _without_address(payload: bytes) -> bytes:
    """A worker's address is no customer's business."""
    fields = json.loads(payload)
    fields.pop("address", None)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
