"""Facts of services that own no part of a call, published so that the cause may be acknowledged afterwards."""

import uuid
from typing import Protocol

from voxbus_contracts import CallRef, Command, Envelope, Event
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_runtime.personal import Ciphers


class FactPublisher(Protocol):
    """What a handler needs in order to say something on a call."""

    async def publish_stored(
        self, ref: CallRef, message: Event | Command, *, event_id: str | None = None, traceparent: str = ""
    ) -> int:
        """Returns the stream's sequence number; raises NotStored (retryable: the same id counts once)."""
        ...


class StoredPublisher:
    """Publishes as one service and waits until the stream has it."""

    def __init__(self, bus: Bus, stage: str, timeout_s: float = 15.0, ciphers: Ciphers | None = None) -> None:
        """`ciphers`: those of the process, where it has some anyway."""
        self._bus = bus
        self._stage = stage
        self._timeout_s = timeout_s
        self._ciphers = ciphers or Ciphers(bus)

    async def publish_stored(
        self, ref: CallRef, message: Event | Command, *, event_id: str | None = None, traceparent: str = ""
    ) -> int:
        envelope = Envelope(
            event_id=event_id or uuid.uuid4().hex,
            schema=message.schema_id(),
            occurred_at_ms=unix_ms(),
            producer=self._bus.worker,
            stage=self._stage,
            traceparent=traceparent,
        )
        payload = await self._ciphers.payload(ref, message)
        return await self._bus.outbox.stored(message.subject(ref), payload, envelope.headers(), self._timeout_s)
