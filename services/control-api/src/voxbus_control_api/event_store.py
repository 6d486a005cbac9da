"""The events of calls, as many at a time as came together."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Update, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voxbus_contracts import decode
from voxbus_contracts.catalogue import BadPayload, UnknownMessage
from voxbus_contracts.events import ArchiveStored, CallEnded, CostUpdated
from voxbus_contracts.message import Event
from voxbus_control_api.database import CALL_EVENTS, CALLS, Database
from voxbus_control_api.past_events import PastEvent
from voxbus_database import insert_new

_NO_CHANGE: Final = ArchiveStored.name()
"""The call is what it was; and its own archive cannot tell of it."""
_MOMENTS: Final = {
    "call.queued": "queued_at_ms",
    "media.attached": "attached_at_ms",
    "call.started": "started_at_ms",
    "call.ended": "ended_at_ms",
}
"""Events that the table of calls is asked for: column of their time."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as it is kept."""

    event_id: str
    call: str
    stream_seq: int
    name: str
    stage: str
    epoch: int
    number: int
    occurred_at_ms: int
    payload: str


class EventStore:
    """The records' raw material; twice the same event is once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rows: Sequence[EventRow]) -> None:
        """All of them or, when it raises, none. Events of calls that are unknown or deleted are left out."""
        async with self._database.write() as connection:
            await _write(connection, rows)

    async def of_call(self, call: str) -> list[PastEvent]:
        async with self._database.read() as connection:
            found = (await connection.execute(select(CALL_EVENTS).where(CALL_EVENTS.c.call == call))).all()
        return [past for row in found if (past := _past(row)) is not None]


async def _write(connection: AsyncConnection, rows: Sequence[EventRow]) -> None:
    """The calls are locked in the order of their ids: no two writers wait for each other, no call is deleted now."""
    calls = {row.call for row in rows}
    statement = select(CALLS.c.id).where(CALLS.c.id.in_(calls), CALLS.c.deleted_at_ms.is_(None))
    known = set((await connection.execute(statement.order_by(CALLS.c.id).with_for_update())).scalars())
    values = [_values(row) for row in rows if row.call in known]
    if not values:
        return
    await connection.execute(insert_new(connection, CALL_EVENTS), values)
    changed: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        _note(changed[row.call], row)
    alike: dict[frozenset[str], list[dict[str, Any]]] = defaultdict(list)
    for call in sorted(known):
        new = changed[call]
        alike[frozenset(new)].append({"_call": call, **{_new(name): value for name, value in new.items()}})
    for columns, values in alike.items():
        await connection.execute(_change(columns), values)


def _note(new: dict[str, Any], row: EventRow) -> None:
    """What an event changes in the table of calls: columns and their values, beside those of the events before it."""
    if row.name != _NO_CHANGE:
        new["updated_at_ms"] = max(row.occurred_at_ms, new.get("updated_at_ms", 0))
    if row.name in _MOMENTS:
        new.setdefault(_MOMENTS[row.name], row.occurred_at_ms)
    if row.name not in ("call.ended", "cost.updated"):
        return
    try:
        message = decode("event", row.name, row.payload.encode())
    except BadPayload:
        return
    if isinstance(message, CostUpdated):
        if message.version >= new.get("cost_version", 0):
            new["cost_nano_usd"] = int(Decimal(message.total).scaleb(9).to_integral_value())
            new["cost_version"] = message.version
    else:
        assert isinstance(message, CallEnded)
        new.setdefault("ended_reason", message.reason)


@lru_cache(maxsize=128)
def _change(columns: frozenset[str]) -> Update:
    """Sets these columns of a call, with the rules by which old and new meet; the same statement for every call.

    First times and the first end stay, the last change grows, the newest version of the cost counts, and the cached
    record is out of date.
    """
    values: dict[Any, Any] = {CALLS.c.generation: CALLS.c.generation + 1}
    for name in columns:
        column = CALLS.c[name]
        new = bindparam(_new(name), type_=column.type)
        there = func.coalesce(column, new)
        if name == "ended_reason":
            values[column] = there
        elif name in ("cost_nano_usd", "cost_version"):
            version = bindparam(_new("cost_version"), type_=CALLS.c.cost_version.type)
            values[column] = case((func.coalesce(CALLS.c.cost_version, 0) <= version, new), else_=column)
        else:
            is_kept = there > new if name == "updated_at_ms" else there < new
            values[column] = case((is_kept, there), else_=new)
    return update(CALLS).where(CALLS.c.id == bindparam("_call", type_=CALLS.c.id.type)).values(values)


def _new(column: str) -> str:
    """The parameter with a column's new value: those of the columns' own names are taken by the library."""
    return f"new_{column}"


def _values(row: EventRow) -> dict[str, Any]:
    return {
        "event_id": row.event_id,
        "call": row.call,
        "stream_seq": row.stream_seq,
        "name": row.name,
        "stage": row.stage,
        "epoch": row.epoch,
        "number": row.number,
        "occurred_at_ms": row.occurred_at_ms,
        "payload": row.payload,
    }


def _past(row: Any) -> PastEvent | None:
    """None for an event this version no longer knows."""
    try:
        message = decode("event", row.name, row.payload.encode())
    except (UnknownMessage, BadPayload):
        return None
    assert isinstance(message, Event)
    return PastEvent(row.event_id, row.stream_seq, row.stage, row.epoch, row.number, row.occurred_at_ms, message)
