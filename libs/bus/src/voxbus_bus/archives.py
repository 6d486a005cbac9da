"""Calls' archives as the messages that a projection reads from the bus, so that it can be made again from them."""

import argparse
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from voxbus_archive import BrokenArchive, parse_archive
from voxbus_bus.received import Received, Unreadable, read
from voxbus_contracts import CallRef, Envelope
from voxbus_contracts.events import ArchiveStored
from voxbus_objects import ObjectMissing, ObjectStore, StoredObject, keys

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class ArchivedCall:
    """A call's events in stream order, as they were received; what nobody can read any more is left out.

    `config` is the call's entry in CONFIGS with its secrets sealed; None = it was gone when the archive was made.
    """

    ref: CallRef
    events: tuple[Received, ...]
    config: "Mapping[str, Any] | None"
    stored: ArchiveStored
    archived_at_ms: int

    @property
    def stored_event(self) -> Received:
        """What the recorder said of the archive, which cannot be in it."""
        event_id = f"archive.{self.ref.call}.{self.stored.last_stream_seq}"
        envelope = Envelope(event_id, self.stored.schema_id(), self.archived_at_ms, "archive", "recorder")
        return Received(self.ref, envelope, self.stored, self.stored.payload(), self.stored.last_stream_seq + 1)


@dataclass(frozen=True, slots=True)
class UnusableArchive:
    """An archive that is broken, or none where one was asked for."""

    call: str
    problem: str


async def read_archives(
    store: ObjectStore, *, call: str | None = None, since_ms: int = 0, on_progress: Callable[[int, int], None]
) -> AsyncIterator[ArchivedCall | UnusableArchive]:
    """All archives, or one call's, or those written at `since_ms` or later; the others go on where one is broken.

    Raises ObjectFault when the store cannot be asked.
    """
    found = [(ref, each) for each in await store.list("") if (ref := keys.archived_call(each.key)) is not None]
    wanted = [
        (ref, each) for ref, each in found if call in (None, ref.call) and (call or each.modified_at_ms >= since_ms)
    ]
    if call and not wanted:
        yield UnusableArchive(call, "there is no archive of it")
    for number, (ref, each) in enumerate(wanted):
        on_progress(number, len(wanted))
        try:
            archived = _archived(each, await store.get(each.key))
        except ObjectMissing:
            continue  # It has been deleted since the list was made.
        except BrokenArchive as broken:
            yield UnusableArchive(ref.call, str(broken))
            continue
        is_its_own = archived.ref == ref
        yield archived if is_its_own else UnusableArchive(ref.call, f"it holds another call's log: {archived.ref}")
    on_progress(len(wanted), len(wanted))


def _archived(kept: StoredObject, content: bytes) -> ArchivedCall:
    archive = parse_archive(content)
    stored = ArchiveStored(
        key=kept.key,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        messages=len(archive.messages),
        last_stream_seq=archive.messages[-1].stream_seq if archive.messages else 0,
    )
    received = [
        read(message.subject, message.headers, message.payload, message.stream_seq, 1)
        for message in archive.messages
        if message.kind == "event"
    ]
    events = tuple(each for each in received if not isinstance(each, Unreadable))
    return ArchivedCall(archive.ref, events, archive.config, stored, kept.modified_at_ms)


class ProgressLine:
    """`12 of 340 archives` on standard error, once a second at most; nothing when it takes no second."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown_at_s = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        now_s = time.monotonic()
        if now_s - self._shown_at_s >= _SHOWN_EVERY_S:
            self._shown_at_s = now_s
            sys.stderr.write(f"{self._what}: {done} of {of} archives\n")


def add_which_calls(parser: argparse.ArgumentParser) -> None:
    """`--call ID` or `--all`."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--call", metavar="ID", help="one call")
    which.add_argument("--all", action="store_true", help="every call that has an archive")
