"""The ledger: every use of a call, once, in SQLite."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, event, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from voxbus_billing.rates import UsageTotal
from voxbus_contracts import CallRef

_METADATA = MetaData()

_ENTRIES = Table(
    "entries",
    _METADATA,
    Column("event_id", String, primary_key=True),
    Column("org", String, nullable=False),
    Column("call", String, nullable=False),
    Column("name", String, nullable=False),
    Column("item", String, nullable=False, default=""),
    Column("provider", String, nullable=False, default=""),
    Column("model", String, nullable=False, default=""),
    Column("unit", String, nullable=False, default=""),
    Column("quantity", BigInteger, nullable=False, default=0),
    Column("occurred_at_ms", BigInteger, nullable=False),
    Index("entries_of_call", "org", "call"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event that counts: a use (`item` is set) or a step in the life of a call."""

    event_id: str
    ref: CallRef
    name: str
    occurred_at_ms: int
    item: str = ""
    provider: str = ""
    model: str = ""
    unit: str = ""
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """A call's account as it stands. `version` = entries so far: equal versions have equal content."""

    ref: CallRef
    version: int
    totals: tuple[UsageTotal, ...]
    ended: bool


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of entering some events: ids of those that were not counted before, and the accounts they belong to."""

    new: frozenset[str]
    accounts: tuple[Account, ...]


class Ledger:
    """The database of billing; made by `open_ledger`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = asyncio.Lock()

    async def enter(self, entries: Sequence[Entry]) -> Entered:
        """Counts entries that are not counted yet, and returns the accounts of their calls, in one transaction."""
        async with self._writing, self._engine.begin() as connection:
            ids = [entry.event_id for entry in entries]
            counted = select(_ENTRIES.c.event_id).where(_ENTRIES.c.event_id.in_(ids))
            known = set((await connection.execute(counted)).scalars())
            rows = {entry.event_id: _row(entry) for entry in entries if entry.event_id not in known}
            if rows:
                await connection.execute(insert(_ENTRIES), list(rows.values()))
            refs = dict.fromkeys(entry.ref for entry in entries)
            return Entered(frozenset(rows), tuple([await _account(connection, ref) for ref in refs]))

    async def close(self) -> None:
        await self._engine.dispose()


async def open_ledger(path: Path) -> Ledger:
    """Opens or makes the database file. A killed process loses nothing; a power cut may lose the last moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}").close()

    async with engine.begin() as connection:
        await connection.run_sync(_METADATA.create_all)
    return Ledger(engine)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "event_id": entry.event_id,
        "org": entry.ref.org,
        "call": entry.ref.call,
        "name": entry.name,
        "item": entry.item,
        "provider": entry.provider,
        "model": entry.model,
        "unit": entry.unit,
        "quantity": entry.quantity,
        "occurred_at_ms": entry.occurred_at_ms,
    }


async def _account(connection: AsyncConnection, ref: CallRef) -> Account:
    columns = _ENTRIES.c
    groups = (columns.item, columns.provider, columns.model, columns.unit)
    of_call = (columns.org == ref.org, columns.call == ref.call)
    statement = (
        select(*groups, func.sum(columns.quantity), func.count())
        .where(*of_call)
        .group_by(*groups)
        .order_by(func.min(columns.occurred_at_ms), *groups)
    )
    found: Sequence[Any] = (await connection.execute(statement)).all()
    ended = (await connection.execute(select(func.count()).where(*of_call, columns.name == "call.ended"))).scalar_one()
    return Account(
        ref=ref,
        version=sum(int(row[5]) for row in found),
        totals=tuple(UsageTotal(row[0], row[1], row[2], row[3], int(row[4])) for row in found if row[0]),
        ended=bool(ended),
    )
