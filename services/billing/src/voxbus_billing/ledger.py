"""The ledger: every use of a call, once, in SQLite."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, event, func, select
from sqlalchemy.dialects.sqlite import insert
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
    """A call's account after an entry. `version` = entries so far: equal versions have equal content."""

    ref: CallRef
    version: int
    totals: tuple[UsageTotal, ...]
    ended: bool
    is_new: bool


class Ledger:
    """The database of billing; made by `open_ledger`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = asyncio.Lock()

    async def enter(self, entry: Entry) -> Account:
        """Counts the entry unless it is counted already, and returns the call's account, in one transaction."""
        row: dict[str, Any] = {
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
        async with self._writing, self._engine.begin() as connection:
            statement = insert(_ENTRIES).on_conflict_do_nothing().returning(_ENTRIES.c.event_id)
            written = (await connection.execute(statement, row)).first()
            return await _account(connection, entry.ref, is_new=written is not None)

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


async def _account(connection: AsyncConnection, ref: CallRef, *, is_new: bool) -> Account:
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
        is_new=is_new,
    )
