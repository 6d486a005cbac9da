"""Calls of all organisations that something must still happen to."""

from typing import Any, Final

from sqlalchemy import delete, func, or_, select, update

from voxbus_contracts import CallRef
from voxbus_control_api.calls.erasing import Deleted
from voxbus_control_api.calls.repeats import KEPT_MS
from voxbus_control_api.calls.schedule import Unstarted
from voxbus_control_api.database import CALLS, REPEATS, Database
from voxbus_control_api.reaper import OpenCall

_AT_ONCE: Final = 500
"""Unstarted calls looked at in one round; the others are there in the next."""


class OpenCalls:
    """Asked once a second."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self) -> list[OpenCall]:
        """On the bus, or let in and about to be, and neither started nor ended."""
        columns = CALLS.c
        on_the_bus = or_(columns.queued_at_ms.is_not(None), columns.admitted_at_ms.is_not(None))
        since_ms = func.coalesce(columns.queued_at_ms, columns.admitted_at_ms).label("since_ms")
        wanted = (columns.org, columns.id, since_ms, columns.attached_at_ms)
        statement = select(*wanted, columns.call_type).where(
            on_the_bus, columns.started_at_ms.is_(None), columns.ended_at_ms.is_(None), columns.deleted_at_ms.is_(None)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            OpenCall(
                CallRef(row.org, row.id),
                row.since_ms,
                row.attached_at_ms,
                has_transport=row.call_type != "outboundPhoneCall",
            )
            for row in rows
        ]

    async def unstarted(self, now_ms: int) -> list[Unstarted]:
        """Not on the bus though they are let in, or though their time is over; the oldest first."""
        columns = CALLS.c
        statement = (
            select(columns.org, columns.id, columns.admitted_at_ms, columns.scheduled_at_ms, columns.latest_at_ms)
            .where(
                columns.queued_at_ms.is_(None),
                columns.ended_at_ms.is_(None),
                columns.deleted_at_ms.is_(None),
                or_(columns.admitted_at_ms.is_not(None), columns.latest_at_ms < now_ms),
            )
            .order_by(columns.created_at_ms)
            .limit(_AT_ONCE)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [_unstarted(row) for row in rows]

    async def to_erase(self) -> list[Deleted]:
        """Deleted calls whose artifacts are still to go, the oldest first."""
        columns = CALLS.c
        statement = (
            select(columns.org, columns.id, columns.deleted_at_ms, columns.ended_at_ms)
            .where(columns.erased_at_ms.is_(None), columns.deleted_at_ms.is_not(None))
            .order_by(columns.deleted_at_ms)
            .limit(_AT_ONCE)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [Deleted(CallRef(row.org, row.id), row.deleted_at_ms, row.ended_at_ms is not None) for row in rows]

    async def erased(self, ref: CallRef, now_ms: int) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(CALLS).where(CALLS.c.id == ref.call).values(erased_at_ms=now_ms))

    async def forget_repeats(self, now_ms: int) -> None:
        """Keys of requests so old that nobody sends them again."""
        async with self._database.write() as connection:
            await connection.execute(delete(REPEATS).where(REPEATS.c.created_at_ms < now_ms - KEPT_MS))


def _unstarted(row: Any) -> Unstarted:
    starts_at_ms = row.admitted_at_ms if row.scheduled_at_ms is None else row.scheduled_at_ms
    return Unstarted(row.org, row.id, starts_at_ms or 0, row.latest_at_ms, is_scheduled=row.scheduled_at_ms is not None)
