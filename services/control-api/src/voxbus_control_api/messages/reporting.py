"""Sends each call's end-of-call report when its records are there, or without them when they take too long.

Then, where it is wanted, that the recording is stored: again when it was stored again with more in it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from structlog.stdlib import BoundLogger

from voxbus_bus import Again, Received
from voxbus_contracts import CallRef
from voxbus_contracts.events import RecordingStored
from voxbus_control_api import metrics
from voxbus_control_api.analysis import ANALYSIS
from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.messages.report import missing, report_fields, upload_fields
from voxbus_control_api.past_events import PastEvent

Json = dict[str, Any]

_LOOK_AGAIN_S: Final = 0.5
_REPORTED_WITHIN_MS: Final = 60_000
"""Beyond the report's own limit: then nothing waits for it any more, for it may be longer than the bus takes."""


class Records(Protocol):
    """The store of calls."""

    async def get(self, org: str, call_id: str) -> CallRecord | None: ...


class Listener(Protocol):
    """Who is told."""

    async def cares(self, ref: CallRef) -> bool: ...

    async def report(self, ref: CallRef, fields: Mapping[str, Any]) -> None: ...

    async def wants_upload(self, ref: CallRef) -> bool: ...

    async def is_reported(self, ref: CallRef) -> bool: ...

    async def upload(self, ref: CallRef, fields: Mapping[str, Any], stored_seq: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Reporter:
    """`shown` gives a record the addresses that may be used now; both limits are counted from the call's end."""

    listener: Listener
    records: Records
    events_of: Callable[[str], Awaitable[list[PastEvent]]]
    shown: Callable[[CallRecord], Awaitable[Json]]
    now_ms: Callable[[], int]
    limit_ms: int
    analysis_limit_ms: int
    log: BoundLogger

    async def on_record(self, received: Received) -> None:
        """A call's end, or its recording. Raises Again while something is missing and there is time."""
        if isinstance(received.message, RecordingStored):
            await self._on_recording(received, received.message)
        else:
            await self.on_call_ended(received)

    async def _on_recording(self, received: Received, stored: RecordingStored) -> None:
        ref = received.ref
        if not await self.listener.wants_upload(ref):
            return
        record = await self.records.get(ref.org, ref.call)
        if record is None:
            return  # The call was deleted.
        limit_ms = max(self.limit_ms, self.analysis_limit_ms) + _REPORTED_WITHIN_MS
        is_late = self.now_ms() - received.envelope.occurred_at_ms >= limit_ms
        is_known = any(each.stream_seq >= received.stream_seq for each in await self.events_of(ref.call))
        if not is_late and not (is_known and await self.listener.is_reported(ref)):
            raise Again(_LOOK_AGAIN_S)
        fields = upload_fields(await self.shown(record), stored.files)
        await self.listener.upload(ref, fields, received.stream_seq)

    async def on_call_ended(self, received: Received) -> None:
        """Raises Again while something is missing and there is time."""
        ref = received.ref
        if not await self.listener.cares(ref):
            return
        record = await self.records.get(ref.org, ref.call)
        lacking = missing(await self.events_of(ref.call), is_recorded=record.is_recorded) if record else ["record"]
        limit_ms = self.analysis_limit_ms if all(ANALYSIS in each for each in lacking) else self.limit_ms
        is_late = self.now_ms() - received.envelope.occurred_at_ms >= limit_ms
        if lacking and not is_late:
            raise Again(_LOOK_AGAIN_S)
        if record is None:
            return  # The call was deleted: there is nothing to report.
        if lacking:
            self.log.warning("a report goes out incomplete", call=ref.call, missing=lacking)
            metrics.REPORTS_INCOMPLETE.inc()
        await self.listener.report(ref, report_fields(await self.shown(record)))
