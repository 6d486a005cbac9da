"""Finds a call's whole log: its archive, else the stream, else the events kept for the record."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from voxbus_archive import BrokenArchive, parse_archive
from voxbus_contracts import CallRef, Envelope, decode
from voxbus_contracts.catalogue import BadPayload, UnknownMessage
from voxbus_control_api.calls.call_logs import gzipped, log_records
from voxbus_control_api.errors import Unavailable
from voxbus_control_api.past_events import PastEvent, in_order
from voxbus_objects import ObjectFault, ObjectStore, keys


class Logged(Protocol):
    """A message of the log, from the stream or from an archive."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def payload(self) -> bytes: ...

    @property
    def stream_seq(self) -> int: ...

    @property
    def envelope(self) -> Envelope: ...


@dataclass(frozen=True, slots=True)
class LogReader:
    """`live` is the stream's log of a call and raises Unavailable, `kept` the events behind its record."""

    objects: ObjectStore
    live: Callable[[CallRef], Awaitable[Iterable[Logged]]]
    kept: Callable[[str], Awaitable[list[PastEvent]]]

    async def call_logs(self, ref: CallRef) -> bytes:
        """Gzipped JSON lines."""
        return await asyncio.to_thread(_project, await self._log(ref), await self.kept(ref.call))

    async def _log(self, ref: CallRef) -> Iterable[Logged]:
        try:
            content = await self.objects.get(keys.archive(ref))
            return (await asyncio.to_thread(parse_archive, content)).messages
        except (ObjectFault, BrokenArchive):
            pass
        try:
            return await self.live(ref)
        except Unavailable:
            return ()


def _project(log: Iterable[Logged], kept: list[PastEvent]) -> bytes:
    whole = {past.event_id: past for past in (*kept, *_read(log))}
    return gzipped(log_records(in_order(whole.values())))


def _read(log: Iterable[Logged]) -> Iterable[PastEvent]:
    """Messages this version no longer knows are left out."""
    for each in log:
        try:
            message = decode("event" if each.kind == "event" else "command", each.name, each.payload)
        except (UnknownMessage, BadPayload):
            continue
        told = each.envelope
        yield PastEvent(
            told.event_id, each.stream_seq, told.stage, told.epoch, told.number, told.occurred_at_ms, message
        )
