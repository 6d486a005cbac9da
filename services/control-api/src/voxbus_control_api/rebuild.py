"""`voxbus rebuild`, the control API's side: calls and their events from archives, into whatever database is set."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from voxbus_bus.archives import ArchivedCall, ProgressLine, UnusableArchive, add_which_calls, read_archives
from voxbus_bus.received import Received
from voxbus_contracts.config import CallConfig, TransportFormat
from voxbus_contracts.events import CallQueued
from voxbus_contracts.streams import CONTROL_API
from voxbus_control_api.call_store import CallStore
from voxbus_control_api.calls.starting import call_of
from voxbus_control_api.database import SCHEMA
from voxbus_control_api.event_store import EventStore
from voxbus_control_api.first_start import secret_box
from voxbus_control_api.handlers import row_of
from voxbus_control_api.settings import Settings
from voxbus_database import DatabaseFault, open_database, sqlite_url
from voxbus_objects import ObjectFault, ObjectStore, open_store
from voxbus_runtime.errors import BadSeal

_RECORDED: Final = frozenset(tuple(subject.split(".")[-2:]) for subject in CONTROL_API.filter_subjects)


@dataclass(slots=True)
class Rebuilt:
    """What came of it. `without_request`: calls whose archive does not tell what was asked for."""

    calls: int = 0
    without_request: list[str] = field(default_factory=list[str])
    unusable: list[UnusableArchive] = field(default_factory=list[UnusableArchive])


async def rebuild(
    calls: CallStore, events: EventStore, store: ObjectStore, cluster_key: SecretStr | None, call: str | None = None
) -> Rebuilt:
    """Adds what is missing; rows that are there stay."""
    rebuilt = Rebuilt()
    async for archived in read_archives(store, call=call, on_progress=ProgressLine("control-api")):
        if isinstance(archived, UnusableArchive):
            rebuilt.unusable.append(archived)
            continue
        try:
            config = config_of(archived)
            await calls.add_again(archived.ref.org, call_of(config, cluster_key))
        except (BadSeal, ValidationError) as problem:
            told = str(problem) if isinstance(problem, BadSeal) else "its configuration is not valid"
            rebuilt.unusable.append(UnusableArchive(archived.ref.call, told))
            continue
        log = (*archived.events, archived.stored_event)
        await events.add([row_of(each) for each in log if is_recorded(each)])
        rebuilt.calls += 1
        if not config.asked:
            rebuilt.without_request.append(archived.ref.call)
    return rebuilt


def config_of(archived: ArchivedCall) -> CallConfig:
    """The archived configuration; where it was gone, what the log tells of it. Raises ValidationError."""
    if archived.config is not None:
        return CallConfig.model_validate(archived.config)
    told: Mapping[str, Any] = {}
    for each in archived.events:
        if isinstance(each.message, CallQueued):
            queued = each.message
            told = {"call_type": queued.call_type, "assistant_id": queued.assistant_id}
            told |= {"transport": TransportFormat(provider=queued.transport)}
            break
    first_ms = min((each.envelope.occurred_at_ms for each in archived.events), default=archived.archived_at_ms)
    return CallConfig(org=archived.ref.org, call=archived.ref.call, created_at_ms=first_ms, **told)


def is_recorded(received: Received) -> bool:
    """Whether the durable consumer would have been given it."""
    entity, what = received.name.split(".")
    return (entity, what) in _RECORDED or (entity, "*") in _RECORDED


async def _run(arguments: argparse.Namespace) -> int:
    settings = Settings()
    store = open_store(settings.objects_address)
    folder = settings.data_dir / "control-api"
    box = secret_box(settings.secret_key, settings.cluster_key, folder / "secret-key")
    database = await open_database(settings.database_or(sqlite_url(folder / "control.db")), SCHEMA)
    events = EventStore(database)
    calls = CallStore(database, events, box, settings.concurrency_limit)
    try:
        made = await rebuild(calls, events, store, settings.cluster_key, arguments.call)
    finally:
        await database.close()
    for each in made.unusable:
        sys.stderr.write(f"control-api: {each.call}: {each.problem}\n")
    for call in made.without_request:
        sys.stderr.write(f"control-api: {call}: its archive does not tell what was asked for; the record is shorter\n")
    sys.stdout.write(f"control-api: {made.calls} calls from their archives\n")
    return 1 if made.unusable else 0


def main(argv: Sequence[str] | None = None) -> int:
    """0 = all archives were used, 1 = not all, 2 = it cannot be done."""
    parser = argparse.ArgumentParser(prog="voxbus rebuild")
    add_which_calls(parser)
    try:
        return asyncio.run(_run(parser.parse_args(argv)))
    except (DatabaseFault, ObjectFault, OSError) as problem:
        sys.stderr.write(f"voxbus rebuild: control-api: {problem}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
