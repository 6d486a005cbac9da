"""How many calls an organisation may have at a time. Calls beyond wait, and are let in oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voxbus_contracts import CallRef
from voxbus_control_api.database import CALLS, ORGS, Database

Json = dict[str, Any]

LONGEST_CALL_MS: Final = 13 * 3_600_000
"""A call that was let in so long ago takes no place, whatever became of its end: none may last longer than 12 h."""

_AT_ONCE: Final = 200
"""Calls of one organisation that are let in together."""


@dataclass(frozen=True, slots=True)
class Places:
    """An organisation's places, counted while nobody else changes them. Pure."""

    limit: int
    active: int
    waiting: int

    @property
    def free(self) -> int:
        """For new calls: who waits already comes first."""
        return max(0, self.limit - self.active - self.waiting)

    @property
    def free_for_waiting(self) -> int:
        return max(0, min(self.waiting, self.limit - self.active))


@dataclass(frozen=True, slots=True)
class Standing:
    """What a client is told beside a new call: whether it waits, and how many more would not."""

    limit: int
    remaining: int
    waiting: frozenset[str]

    def shown(self, call_id: str) -> Json:
        """`subscriptionLimits` of one call."""
        return {
            "concurrencyBlocked": call_id in self.waiting,
            "concurrencyLimit": self.limit,
            "remainingConcurrentCalls": self.remaining,
        }


async def counted(connection: AsyncConnection, org: str, default_limit: int, now_ms: int) -> Places:
    """Inside a writing transaction: until it ends nobody else counts this organisation's calls."""
    asked = {"org": org, "now_ms": now_ms, "lately_ms": now_ms - LONGEST_CALL_MS}
    limit = (await connection.execute(_LIMIT, asked)).scalar_one_or_none()
    active, waiting = (await connection.execute(_COUNTS, asked)).one()
    return Places(limit=default_limit if limit is None else limit, active=active, waiting=waiting)


class WaitingCalls:
    """Asked once a second for all organisations."""

    def __init__(self, database: Database, default_limit: int) -> None:
        self._database = database
        self._default_limit = default_limit

    async def admit(self, now_ms: int) -> list[CallRef]:
        """Lets in as many as there are places for; scheduled calls wait from the time they are to start."""
        admitted: list[CallRef] = []
        for org in await self._orgs_that_wait(now_ms):
            admitted += [CallRef(org, call) for call in await self._admit(org, now_ms)]
        return admitted

    async def _orgs_that_wait(self, now_ms: int) -> Sequence[str]:
        statement = select(CALLS.c.org).where(*_is_open(), *_waits(now_ms)).distinct()
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalars().all()

    async def _admit(self, org: str, now_ms: int) -> Sequence[str]:
        async with self._database.write() as connection:
            places = await counted(connection, org, self._default_limit, now_ms)
            if not places.free_for_waiting:
                return ()
            oldest = (
                select(CALLS.c.id)
                .where(CALLS.c.org == org, *_is_open(), *_waits(now_ms))
                .order_by(func.coalesce(CALLS.c.scheduled_at_ms, CALLS.c.created_at_ms), CALLS.c.id)
                .limit(min(places.free_for_waiting, _AT_ONCE))
            )
            ids = (await connection.execute(oldest)).scalars().all()
            let_in = update(CALLS).where(CALLS.c.id.in_(ids)).values(admitted_at_ms=now_ms)
            await connection.execute(let_in)
            return ids


def _is_open() -> tuple[Any, ...]:
    return CALLS.c.ended_at_ms.is_(None), CALLS.c.deleted_at_ms.is_(None)


def _waits(now_ms: Any) -> tuple[Any, ...]:
    is_due = or_(CALLS.c.scheduled_at_ms.is_(None), CALLS.c.scheduled_at_ms <= now_ms)
    return CALLS.c.admitted_at_ms.is_(None), CALLS.c.queued_at_ms.is_(None), is_due


def _count(*conditions: Any) -> Any:
    counted = select(func.count()).select_from(CALLS)
    return counted.where(CALLS.c.org == bindparam("org"), *_is_open(), *conditions).scalar_subquery()


# Every start of a call asks this: made once, for making a statement takes longer than asking it.
_LIMIT: Final = select(ORGS.c.concurrency_limit).where(ORGS.c.id == bindparam("org")).with_for_update()
_COUNTS: Final = select(
    _count(CALLS.c.admitted_at_ms > bindparam("lately_ms", type_=BigInteger)),
    _count(*_waits(bindparam("now_ms", type_=BigInteger))),
)
