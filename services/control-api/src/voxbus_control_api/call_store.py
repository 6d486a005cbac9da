"""Calls and their records."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from voxbus_contracts import CallRef
from voxbus_control_api.database import CALL_EVENTS, CALLS, Database, to_text
from voxbus_control_api.event_store import EventStore
from voxbus_control_api.listing import Listing
from voxbus_control_api.projection import CallFacts, project
from voxbus_control_api.reaper import OpenCall

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as it is known now."""

    ref: CallRef
    has_ended: bool
    record: Json


class CallStore:
    """Every question but the reaper's is asked for one organisation."""

    def __init__(self, database: Database, events: EventStore) -> None:
        self._database = database
        self._events = events

    async def add(self, call: CallFacts, assistant_id: str | None) -> None:
        row = {
            "id": call.id,
            "org": call.org,
            "created_at_ms": call.created_at_ms,
            "updated_at_ms": call.updated_at_ms,
            "assistant_id": assistant_id,
            "call_type": call.call_type,
            "transport": to_text(call.transport),
            "system_prompts": to_text(call.system_prompts),
            "body": to_text(call.body),
        }
        async with self._database.write() as connection:
            await connection.execute(insert(CALLS).values(row))

    async def get(self, org: str, call_id: str) -> CallRecord | None:
        statement = select(CALLS).where(CALLS.c.id == call_id, *_of(org))
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).first()
        return await self._record(row) if row else None

    async def find(self, org: str, listing: Listing) -> list[CallRecord]:
        statement = listing.applied(select(CALLS).where(*_of(org), *listing.conditions(CALLS)), CALLS)
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [await self._record(row) for row in rows]

    async def rename(self, org: str, call_id: str, name: str | None, now_ms: int) -> None:
        async with self._database.write() as connection:
            statement = select(CALLS.c.body).where(CALLS.c.id == call_id, *_of(org)).with_for_update()
            body = json.loads((await connection.execute(statement)).scalar_one())
            values = {
                CALLS.c.body: to_text({**body, "name": name}),
                CALLS.c.updated_at_ms: now_ms,
                CALLS.c.generation: CALLS.c.generation + 1,
            }
            await connection.execute(update(CALLS).where(CALLS.c.id == call_id).values(values))

    async def remove(self, org: str, call_id: str, now_ms: int) -> None:
        """Everything said is gone; the id stays, so that late events are not stored anew."""
        empty = {"deleted_at_ms": now_ms, "body": "{}", "system_prompts": "[]", "record": None}
        async with self._database.write() as connection:
            changed = await connection.execute(update(CALLS).where(CALLS.c.id == call_id, *_of(org)).values(empty))
            if changed.rowcount:
                await connection.execute(delete(CALL_EVENTS).where(CALL_EVENTS.c.call == call_id))

    async def waiting(self) -> list[OpenCall]:
        """Calls of all organisations that have neither started nor ended."""
        columns = CALLS.c
        statement = select(columns.org, columns.id, columns.created_at_ms, columns.attached_at_ms).where(
            columns.started_at_ms.is_(None), columns.ended_at_ms.is_(None), columns.deleted_at_ms.is_(None)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [OpenCall(CallRef(row.org, row.id), row.created_at_ms, row.attached_at_ms) for row in rows]

    async def _record(self, row: Row[Any]) -> CallRecord:
        ref = CallRef(row.org, row.id)
        if row.record is not None and row.record_generation == row.generation:
            return CallRecord(ref, row.ended_at_ms is not None, json.loads(row.record))
        record = project(_facts(row), await self._events.of_call(row.id))
        if row.ended_at_ms is not None:
            values = {"record": to_text(record), "record_generation": row.generation}
            unchanged = (CALLS.c.id == row.id, CALLS.c.generation == row.generation, CALLS.c.deleted_at_ms.is_(None))
            async with self._database.write() as connection:
                await connection.execute(update(CALLS).where(*unchanged).values(values))
        return CallRecord(ref, row.ended_at_ms is not None, record)


def _of(org: str) -> tuple[Any, ...]:
    return CALLS.c.org == org, CALLS.c.deleted_at_ms.is_(None)


def _facts(row: Row[Any]) -> CallFacts:
    return CallFacts(
        id=row.id,
        org=row.org,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
        call_type=row.call_type,
        transport=json.loads(row.transport),
        body=json.loads(row.body),
        system_prompts=tuple(json.loads(row.system_prompts)),
    )
