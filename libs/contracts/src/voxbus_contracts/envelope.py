"""What every event and command carries in its NATS headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EVENT_ID: Final = "Nats-Msg-Id"
SCHEMA: Final = "Vb-Schema"
OCCURRED_AT: Final = "Vb-Time"
PRODUCER: Final = "Vb-Producer"
STAGE: Final = "Vb-Stage"
EPOCH: Final = "Vb-Epoch"
NUMBER: Final = "Vb-Number"
TRACE_PARENT: Final = "traceparent"


class BadEnvelope(ValueError):
    """A message without the headers every event carries; the text names the header."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who said what when.

    `number` counts the messages of one (stage, epoch) from 1 without holes; readers fill a hole from the stream.
    0 = a producer that owns no part of the call (control-api, tool-runner, billing): not numbered, never fenced.
    """

    event_id: str
    schema: str
    occurred_at_ms: int
    producer: str
    stage: str
    epoch: int = 0
    number: int = 0
    traceparent: str = ""

    def headers(self) -> dict[str, str]:
        out = {
            EVENT_ID: self.event_id,
            SCHEMA: self.schema,
            OCCURRED_AT: str(self.occurred_at_ms),
            PRODUCER: self.producer,
            STAGE: self.stage,
            EPOCH: str(self.epoch),
            NUMBER: str(self.number),
        }
        if self.traceparent:
            out[TRACE_PARENT] = self.traceparent
        return out


def read_envelope(headers: Mapping[str, str] | None) -> Envelope:
    """Headers → envelope; raises BadEnvelope naming the header that is missing or no number."""
    if not headers:
        raise BadEnvelope("no headers")
    try:
        return Envelope(
            event_id=headers[EVENT_ID],
            schema=headers[SCHEMA],
            occurred_at_ms=int(headers[OCCURRED_AT]),
            producer=headers[PRODUCER],
            stage=headers[STAGE],
            epoch=int(headers[EPOCH]),
            number=int(headers[NUMBER]),
            traceparent=headers.get(TRACE_PARENT, ""),
        )
    except KeyError as missing:
        raise BadEnvelope(f"header {missing.args[0]} is missing") from missing
    except ValueError as wrong:
        raise BadEnvelope(f"a header that must be a whole number is not: {wrong}") from wrong
