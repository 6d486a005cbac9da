"""The database of the control API: one SQLite file, many readers, one writer at a time."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

METADATA = MetaData()

KEYS = Table(
    "keys",
    METADATA,
    Column("sha256", String, primary_key=True),
    Column("org", String, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
)

ASSISTANTS = Table(
    "assistants",
    METADATA,
    Column("id", String, primary_key=True),
    Column("org", String, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("assistants_of_org", "org", "created_at_ms"),
)

CALLS = Table(
    "calls",
    METADATA,
    Column("id", String, primary_key=True),
    Column("org", String, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("deleted_at_ms", BigInteger),
    Column("attached_at_ms", BigInteger),
    Column("started_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    Column("assistant_id", String),
    Column("call_type", String, nullable=False),
    Column("transport", Text, nullable=False),
    Column("system_prompts", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("generation", Integer, nullable=False, default=0),
    Column("record", Text),
    Column("record_generation", Integer),
    Index("calls_of_org", "org", "created_at_ms"),
    Index("calls_open", "ended_at_ms", "started_at_ms"),
)
"""`generation` counts the changes; `record` is the projection of generation `record_generation`, a cache."""

CALL_EVENTS = Table(
    "call_events",
    METADATA,
    Column("event_id", String, primary_key=True),
    Column("call", String, nullable=False),
    Column("stream_seq", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("occurred_at_ms", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Index("events_of_call", "call", "stream_seq"),
)


class Database:
    """Made by `open_database`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction; commits when the block ends well."""
        async with self._writing, self._engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()


async def open_database(path: Path) -> Database:
    """Opens or makes the file, readable by its owner only: assistants hold secrets."""
    _make_private(path)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}").close()

    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    return Database(engine)


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600, exist_ok=True)


def to_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
