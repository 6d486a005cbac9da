"""Finds what is kept of a call: its archive in the object store, else its log on the bus."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus_archive import BrokenArchive, parse_archive
from voxbus_cli.errors import CommandFailed, NotReachable
from voxbus_cli.follow.lines import SeenMessage, read_message
from voxbus_cli.follow.reader import CallReader
from voxbus_cli.stack.broker import connect
from voxbus_contracts import CallRef
from voxbus_objects import ObjectFault, ObjectMissing, ObjectStore, keys, open_store

_CONNECT_WITHIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where calls are kept; an empty address = nothing is looked for there."""

    objects: str
    nats: str


@dataclass(frozen=True, slots=True)
class KeptLog:
    """A call's messages in stream order; `source` in words."""

    ref: CallRef
    source: str
    messages: Sequence[SeenMessage]


async def find_log(call: str, org: str | None, places: Places) -> KeptLog:
    """The archive if there is one. Raises CommandFailed when nothing is kept, or the archive is broken."""
    live = await _live(call, places.nats) if places.nats else None
    known_org = org or (live.ref.org if live else None)
    store = _store(places.objects)
    try:
        archived = await _archived(store, call, known_org) if store else None
    except ObjectFault as problem:
        raise CommandFailed(f"{places.objects}: {problem}") from problem
    found = archived or live
    if found is None:
        looked = [f"no archive in {places.objects}"] if places.objects else []
        looked += [f"no log on {places.nats}"] if places.nats else ["no stack runs here"]
        raise CommandFailed(f"nothing is kept of call {call}: {', '.join(looked)}")
    return found


def _store(address: str) -> ObjectStore | None:
    """A folder that is not there is not made."""
    if not address or ("://" not in address and not Path(address).is_dir()):
        return None
    return open_store(address)


async def _archived(store: ObjectStore, call: str, org: str | None) -> KeptLog | None:
    ref = CallRef(org, call) if org else await _looked_up(store, call)
    if ref is None:
        return None
    try:
        archive = parse_archive(await store.get(keys.archive(ref)))
    except ObjectMissing:
        return None
    except BrokenArchive as broken:
        raise CommandFailed(f"the archive {keys.archive(ref)} is broken: {broken}") from broken
    seen = (read_message(each.subject, each.headers, each.payload) for each in archive.messages)
    return KeptLog(ref, "its archive", [message for message in seen if message is not None])


async def _looked_up(store: ObjectStore, call: str) -> CallRef | None:
    refs = (keys.archived_call(each.key) for each in await store.list(""))
    return next((ref for ref in refs if ref is not None and ref.call == call), None)


async def _live(call: str, url: str) -> KeptLog | None:
    """None = there is none, or nobody answers there."""
    try:
        nc = await connect(url, _CONNECT_WITHIN_S)
    except NotReachable:
        return None
    try:
        async with asyncio.timeout(10 * _CONNECT_WITHIN_S):
            reader = CallReader(nc, call, with_commands=False)
            messages = await reader.new_messages()
    except (NotReachable, TimeoutError):
        return None
    finally:
        await nc.close()
    org = next((message.org for message in messages), None)
    return KeptLog(CallRef(org, call), "the live log", messages) if org else None
