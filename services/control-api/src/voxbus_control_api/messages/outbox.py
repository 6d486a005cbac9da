"""Puts messages of one call's target on the bus: in order, each once, whoever else does the same."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Protocol

from nats.errors import MaxPayloadError
from nats.js.errors import APIError
from structlog.stdlib import BoundLogger

from voxbus_contracts.delivery import BadDelivery, Delivery, Place, read_delivery
from voxbus_contracts.streams import DELIVERIES
from voxbus_control_api import metrics
from voxbus_runtime.bus import Bus
from voxbus_runtime.stream_reader import last

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_OVERTAKEN: Final = 10_071
"""JetStream's error: somebody else has published on the subject meanwhile."""
_STORED_WITHIN_S: Final = 5.0


class Stored(Protocol):
    """The stream of deliveries."""

    async def newest(self, subject: str) -> tuple[int, Place | None]:
        """Sequence and place of a subject's last message, 0 and None where there is none."""
        ...

    async def put(self, delivery: Delivery) -> int | None:
        """The sequence it got behind `previous_seq`; None when that is not the last message any more."""
        ...


class DeliveryStream:
    """The stream on the bus; both methods raise what the bus raises when it is away."""

    def __init__(self, bus: Bus, log: BoundLogger) -> None:
        self._bus = bus
        self._log = log

    async def newest(self, subject: str) -> tuple[int, Place | None]:
        stored = await last(self._bus.nc, DELIVERIES.name, subject)
        if stored is None:
            return 0, None
        try:
            return stored.seq, read_delivery(stored.subject, stored.headers, stored.data).place
        except BadDelivery as foreign:
            self._log.warning("a delivery is left out", subject=subject, problem=str(foreign))
            return stored.seq, None

    async def put(self, delivery: Delivery) -> int | None:
        headers = {**delivery.headers(), _EXPECTED: str(delivery.previous_seq)}
        try:
            stored = await self._bus.js.publish(
                delivery.subject, delivery.payload(), headers=headers, timeout=_STORED_WITHIN_S
            )
        except APIError as refused:
            if refused.err_code == _OVERTAKEN:
                return None
            raise
        except MaxPayloadError:
            self._log.error("a server message is too long for the bus", call=delivery.ref.call, message=delivery.type)
            metrics.MESSAGES_TOO_LONG.inc()
            return delivery.previous_seq
        return stored.seq


class LaneOutbox:
    """What is still to be put on one subject. A failure leaves the rest for the next `flush`."""

    def __init__(self, subject: str, stream: Stored) -> None:
        self._subject = subject
        self._stream = stream
        self._waiting: deque[Delivery] = deque()
        self._last_seq: int | None = None
        self._last_place: Place | None = None

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """In the order of their places."""
        self._waiting.extend(deliveries)

    async def flush(self) -> None:
        """Everything that waits is in the stream; what is there already, by whoever, is left out."""
        while self._waiting:
            if self._last_seq is None:
                self._last_seq, self._last_place = await self._stream.newest(self._subject)
            delivery = self._waiting[0]
            if self._last_place is not None and delivery.place <= self._last_place:
                self._waiting.popleft()
                continue
            seq = await self._stream.put(replace(delivery, previous_seq=self._last_seq))
            if seq is None:
                self._last_seq = None
                continue
            self._last_seq, self._last_place = seq, delivery.place
            self._waiting.popleft()
