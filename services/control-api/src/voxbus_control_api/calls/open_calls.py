"""Calls of all organisations that something must still happen to."""

from typing import Any, Final

from sqlalchemy import delete, or_, select

from voxbus_contracts import CallRef
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
        """On the bus, or meant to be at once, and neither started nor ended."""
        columns = CALLS.c
        on_the_bus = or_(columns.queued_at_ms.is_not(None), columns.scheduled_at_ms.is_(None))
        wanted = (columns.org, columns.id, columns.created_at_ms, columns.queued_at_ms, columns.attached_at_ms)
        statement = select(*wanted, columns.call_type).where(
            on_the_bus, columns.started_at_ms.is_(None), columns.ended_at_ms.is_(None), columns.deleted_at_ms.is_(None)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            OpenCall(
                CallRef(row.org, row.id),
                row.queued_at_ms or row.created_at_ms,
                row.attached_at_ms,
                has_transport=row.call_type != "outboundPhoneCall",
            )
            for row in rows
        ]

    async def unstarted(self, now_ms: int) -> list[Unstarted]:
        """Not on the bus though their time has come, the oldest first."""
        columns = CALLS.c
        statement = (
            select(columns.org, columns.id, columns.created_at_ms, columns.scheduled_at_ms, columns.latest_at_ms)
            .where(
                columns.queued_at_ms.is_(None),
                columns.ended_at_ms.is_(None),
                columns.deleted_at_ms.is_(None),
                or_(columns.scheduled_at_ms <= now_ms, columns.scheduled_at_ms.is_(None)),
            )
            .order_by(columns.created_at_ms)
            .limit(_AT_ONCE)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [_unstarted(row) for row in rows]

    async def forget_repeats(self, now_ms: int) -> None:
        """Keys of requests so old that nobody sends them again."""
        async with self._database.write() as connection:
            await connection.execute(delete(REPEATS).where(REPEATS.c.created_at_ms < now_ms - KEPT_MS))


def _unstarted(row: Any) -> Unstarted:
    starts_at_ms = row.created_at_ms if row.scheduled_at_ms is None else row.scheduled_at_ms
    return Unstarted(row.org, row.id, starts_at_ms, row.latest_at_ms, is_scheduled=row.scheduled_at_ms is not None)
