"""Calls and their records."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voxbus_contracts import CallRef
from voxbus_contracts.monitor import MonitorPlan
from voxbus_control_api.calls.places import Standing, counted
from voxbus_control_api.calls.repeats import RepeatKey, check_same
from voxbus_control_api.database import CALL_EVENTS, CALLS, REPEATS, Database, to_text
from voxbus_control_api.event_store import EventStore
from voxbus_control_api.listing import Listing
from voxbus_control_api.projection import CallFacts, project
from voxbus_control_api.secret_box import SecretBox
from voxbus_database import insert_new

Json = dict[str, Any]


SPOKEN: Final = {"turn.committed": "text", "reply.finished": "heard", "reply.interrupted": "heard"}
"""Events that hold what was said, and their field."""


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call that is asked for, and what it is found by. `scheduled_at_ms` None = it starts at once."""

    facts: CallFacts
    assistant_id: str | None = None
    squad_id: str | None = None
    phone_number_id: str | None = None
    customer_number: str | None = None
    scheduled_at_ms: int | None = None
    latest_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """Ids of the calls there are; `standing` None = an earlier request made them."""

    ids: list[str]
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as it is known now."""

    ref: CallRef
    has_ended: bool
    record: Json
    is_recorded: bool = True
    is_logged: bool = True
    monitor_plan: MonitorPlan = field(default_factory=MonitorPlan)


class CallStore:
    """Every question is asked for one organisation. What is secret in a body is stored encrypted."""

    def __init__(self, database: Database, events: EventStore, box: SecretBox, concurrency_limit: int) -> None:
        self._database = database
        self._events = events
        self._box = box
        self._concurrency_limit = concurrency_limit

    async def add(self, org: str, calls: Sequence[NewCall], key: RepeatKey | None, now_ms: int) -> Added:
        """Writes all of them; those the organisation has no place for wait, the last ones first.

        With a key that was used: nothing, and the ids of the calls made then. Raises Conflict when the key was used
        for another request.
        """
        ids = [call.facts.id for call in calls]
        async with self._database.write() as connection:
            if key is not None:
                before = await _remember(connection, org, key, ids, now_ms)
                if before is not None:
                    return Added(before)
            places = await counted(connection, org, self._concurrency_limit, now_ms)
            at_once = [call.facts.id for call in calls if call.scheduled_at_ms is None]
            let_in = set(at_once[: places.free])
            rows = [self._row(call, now_ms if call.facts.id in let_in else None) for call in calls]
            if rows:
                await connection.execute(insert(CALLS), rows)
        waiting = frozenset(at_once[places.free :])
        return Added(ids, Standing(places.limit, places.free - len(let_in), waiting))

    async def add_again(self, org: str, call: NewCall) -> None:
        """A call from its archive; one that is there, or was deleted, stays as it is."""
        async with self._database.write() as connection:
            await connection.execute(
                insert_new(connection, CALLS).values({**self._row(call, call.facts.created_at_ms), "org": org})
            )

    async def made_with(self, org: str, key: RepeatKey) -> list[str] | None:
        """Ids of the calls made with a key, None when it is new. Raises Conflict."""
        async with self._database.read() as connection:
            return await _made_with(connection, org, key)

    async def begin(self, facts: CallFacts, assistant_id: str | None, squad_id: str | None) -> None:
        """A scheduled call as it is now that it starts."""
        values = {**_changing(facts), "assistant_id": assistant_id, "squad_id": squad_id}
        values |= {"generation": CALLS.c.generation + 1}
        async with self._database.write() as connection:
            await connection.execute(update(CALLS).where(CALLS.c.id == facts.id, *_of(facts.org)).values(values))

    async def facts(self, org: str, call_id: str) -> CallFacts | None:
        statement = select(CALLS).where(CALLS.c.id == call_id, *_of(org))
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).first()
        return self._facts(row) if row else None

    async def get_many(self, org: str, ids: Sequence[str]) -> list[CallRecord]:
        """In the order of `ids`; those that are gone are left out."""
        statement = select(CALLS).where(CALLS.c.id.in_(ids), *_of(org))
        async with self._database.read() as connection:
            rows = {row.id: row for row in (await connection.execute(statement)).all()}
        return [await self._record(rows[each]) for each in ids if each in rows]

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
            body = self._box.from_text((await connection.execute(statement)).scalar_one())
            values = {
                CALLS.c.body: self._box.to_text({**body, "name": name}),
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

    async def ids(self, org: str, statement: Select[Any]) -> list[str]:
        """Of the calls that a statement selects whole rows of, in its order."""
        narrowed = statement.with_only_columns(CALLS.c.id).where(*_of(org))
        async with self._database.read() as connection:
            return list((await connection.execute(narrowed)).scalars())

    async def bodies(self, org: str, statement: Select[Any]) -> list[tuple[str, Json]]:
        """The same with what was posted, which the database keeps encrypted."""
        narrowed = statement.with_only_columns(CALLS.c.id, CALLS.c.body).where(*_of(org))
        async with self._database.read() as connection:
            rows = (await connection.execute(narrowed)).all()
        return [(row.id, self._box.from_text(row.body)) for row in rows]

    async def said(self, org: str, text: str) -> set[str]:
        """Ids of calls on which somebody said `text`, whatever its case."""
        spoken = CALL_EVENTS.c.name.in_(SPOKEN)
        like = func.lower(CALL_EVENTS.c.payload).contains(
            json.dumps(text.lower(), ensure_ascii=False)[1:-1], autoescape=True
        )
        statement = (
            select(CALLS.c.id, CALL_EVENTS.c.name, CALL_EVENTS.c.payload)
            .join(CALL_EVENTS, CALL_EVENTS.c.call == CALLS.c.id)
            .where(*_of(org), spoken, like)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return {row.id for row in rows if text.lower() in json.loads(row.payload).get(SPOKEN[row.name], "").lower()}

    async def rows(self, org: str, statement: Select[Any]) -> Sequence[Row[Any]]:
        """What the table itself says, without the events."""
        async with self._database.read() as connection:
            return (await connection.execute(statement.where(*_of(org)))).all()

    async def _record(self, row: Row[Any]) -> CallRecord:
        facts, has_ended = self._facts(row), row.ended_at_ms is not None
        if row.record is not None and row.record_generation == row.generation:
            return _known(facts, self._box.from_text(row.record), has_ended)
        record = project(facts, await self._events.of_call(row.id))
        if has_ended:
            values = {"record": self._box.to_text(record), "record_generation": row.generation}
            unchanged = (CALLS.c.id == row.id, CALLS.c.generation == row.generation, CALLS.c.deleted_at_ms.is_(None))
            async with self._database.write() as connection:
                await connection.execute(update(CALLS).where(*unchanged).values(values))
        return _known(facts, record, has_ended or record["status"] == "ended")

    def _row(self, call: NewCall, admitted_at_ms: int | None) -> Json:
        facts = call.facts
        return {
            **_changing(facts),
            "id": facts.id,
            "org": facts.org,
            "created_at_ms": facts.created_at_ms,
            "call_type": facts.call_type,
            "body": self._box.to_text(facts.body),
            "generation": 0,
            "admitted_at_ms": admitted_at_ms,
            "assistant_id": call.assistant_id,
            "squad_id": call.squad_id,
            "phone_number_id": call.phone_number_id,
            "customer_number": call.customer_number,
            "scheduled_at_ms": call.scheduled_at_ms,
            "latest_at_ms": call.latest_at_ms,
        }

    def _facts(self, row: Row[Any]) -> CallFacts:
        return CallFacts(
            id=row.id,
            org=row.org,
            created_at_ms=row.created_at_ms,
            updated_at_ms=row.updated_at_ms,
            call_type=row.call_type,
            transport=json.loads(row.transport),
            body=self._box.from_text(row.body),
            system_prompts=tuple(json.loads(row.system_prompts)),
            is_recorded=row.is_recorded is not False,
            is_logged=row.is_logged is not False,
            monitor_plan=json.loads(row.monitor_plan) if row.monitor_plan else {},
        )


async def _made_with(connection: AsyncConnection, org: str, key: RepeatKey) -> list[str] | None:
    statement = select(REPEATS).where(REPEATS.c.org == org, REPEATS.c.key_sha256 == key.key)
    row = (await connection.execute(statement)).first()
    if row is None:
        return None
    check_same(key, row.asked_sha256)
    return json.loads(row.calls)


async def _remember(
    connection: AsyncConnection, org: str, key: RepeatKey, ids: list[str], now_ms: int
) -> list[str] | None:
    """None when the key is new; it waits for whoever uses the same key at this moment."""
    row = {
        "org": org,
        "key_sha256": key.key,
        "asked_sha256": key.asked,
        "calls": to_text(ids),
        "created_at_ms": now_ms,
    }
    written = await connection.execute(insert_new(connection, REPEATS).values(row))
    return None if written.rowcount else await _made_with(connection, org, key)


def _changing(facts: CallFacts) -> Json:
    """What may be another thing by the time a scheduled call starts."""
    return {
        "updated_at_ms": facts.updated_at_ms,
        "transport": to_text(facts.transport),
        "system_prompts": to_text(facts.system_prompts),
        "is_recorded": facts.is_recorded,
        "is_logged": facts.is_logged,
        "monitor_plan": to_text(facts.monitor_plan) if facts.monitor_plan else None,
    }


def _of(org: str) -> tuple[Any, ...]:
    return CALLS.c.org == org, CALLS.c.deleted_at_ms.is_(None)


def _known(facts: CallFacts, record: Json, has_ended: bool) -> CallRecord:
    plan = MonitorPlan.model_validate(facts.monitor_plan)
    return CallRecord(CallRef(facts.org, facts.id), has_ended, record, facts.is_recorded, facts.is_logged, plan)
