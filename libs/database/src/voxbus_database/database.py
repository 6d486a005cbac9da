"""Connections and transactions of one service's database."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import aiosqlite
from asyncpg import InterfaceError as PostgresInterfaceError
from asyncpg import PostgresError
from sqlalchemy import URL, Connection, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from voxbus_database.addresses import POSTGRESQL, SQLITE, parse_url, shown
from voxbus_database.errors import DatabaseUnreachable
from voxbus_database.migrations import Schema, migrate

_CONNECT_PROBLEMS: Final = (OSError, TimeoutError, NoneFree, DBAPIError, PostgresError, PostgresInterfaceError)
_CONNECT_TIMEOUT_S: Final = 5
_BUSY_TIMEOUT_MS: Final = 5_000
_LOOKS_AGAIN_S: Final = 0.02


class Database:
    """Made by `open_database`. Every method raises DatabaseUnreachable when there is no connection."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading, self._writing = _reading(engine), _writing(engine)
        self._one_writer = asyncio.Lock() if engine.dialect.name == SQLITE else nullcontext()

    @property
    def backend(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """No transaction: each statement sees what is committed when it starts."""
        async with self._connected(self._reading) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction; commits when the block ends well. Those of SQLite come one after the other."""
        async with self._one_writer, self._connected(self._writing) as connection, connection.begin():
            yield connection

    async def forget_overwritten(self) -> None:
        """Rewrites a SQLite file, so that nothing that was changed or deleted can be found in it any more.

        Takes as long as copying the file. PostgreSQL does so by itself, in its own time (autovacuum).
        """
        if self._engine.dialect.name == SQLITE:
            async with self._one_writer, self._connected(self._reading) as connection:
                await connection.exec_driver_sql("VACUUM")
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
        try:
            connection = await engine.connect()
        except _CONNECT_PROBLEMS as problem:
            raise _unreachable(self._engine.url, problem) from problem
        try:
            yield connection
        except DBAPIError as problem:
            raise self._told(problem) from problem
        finally:
            await asyncio.shield(connection.close())

    def _told(self, problem: DBAPIError) -> Exception:
        """A connection that broke, or a file another process keeps locked, is no fault of the statement."""
        is_away = problem.connection_invalidated or "database is locked" in str(problem.orig)
        return _unreachable(self._engine.url, problem.orig or problem) if is_away else problem


async def open_database(url: str, schema: Schema, *, connections: int = 10) -> Database:
    """Opens or makes the database and migrates it.

    At most `connections` are kept, and as many again are made under load. Raises BadDatabaseUrl, DatabaseUnreachable,
    DatabaseTooNew.
    """
    database = Database(_engine(parse_url(url), schema, connections))
    try:
        async with database.write() as connection:
            await connection.run_sync(migrate, schema)
    except BaseException:
        await database.close()
        raise
    return database


def insert_new(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that leaves rows alone whose key is there already."""
    insert = postgresql.insert if connection.dialect.name == POSTGRESQL else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def _engine(url: URL, schema: Schema, connections: int) -> AsyncEngine:
    if url.get_backend_name() == SQLITE:
        _make_private(url, Path(str(url.database)))
        kept = {"pool_size": connections, "max_overflow": connections}
        return _with_pragmas(
            create_async_engine(url, hide_parameters=True, connect_args={"isolation_level": None}, **kept)
        )
    settings: Mapping[str, str] = {"search_path": f'"{schema.name}"', "application_name": f"voxbus-{schema.service}"}
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=connections,
        pool_timeout=_CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={"server_settings": settings, "timeout": _CONNECT_TIMEOUT_S},
    )


def _with_pragmas(engine: AsyncEngine) -> AsyncEngine:
    """A killed process loses nothing; a power cut may lose the last moment."""

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        for pragma in (f"busy_timeout={_BUSY_TIMEOUT_MS}", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.run_async(_keep_a_write_ahead_log)

    return engine


async def _keep_a_write_ahead_log(driver: aiosqlite.Connection) -> None:
    """SQLite does not wait by itself where another process turns the same new file over to WAL at this moment."""
    until_s = time.monotonic() + _BUSY_TIMEOUT_MS / 1_000
    while True:
        try:
            await (await driver.execute("PRAGMA journal_mode=WAL")).close()
        except sqlite3.OperationalError as busy:
            if "locked" not in str(busy) or time.monotonic() >= until_s:
                raise
        else:
            return
        await asyncio.sleep(_LOOKS_AGAIN_S)


def _reading(engine: AsyncEngine) -> AsyncEngine:
    """SQLite's connections are in no transaction until one is begun; PostgreSQL's are told so."""
    return engine if engine.dialect.name == SQLITE else engine.execution_options(isolation_level="AUTOCOMMIT")


def _writing(engine: AsyncEngine) -> AsyncEngine:
    """SQLite takes its write lock first: one that read first would fail at once where another process wrote since."""
    if engine.dialect.name != SQLITE:
        return engine
    writing = engine.execution_options()

    @event.listens_for(writing.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return writing


def _make_private(url: URL, path: Path) -> None:
    """Readable by its owner only: assistants hold secrets."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as problem:
        raise _unreachable(url, problem) from problem


def _unreachable(url: URL, problem: BaseException) -> DatabaseUnreachable:
    first_line = (str(problem).splitlines() or ["no reason given"])[0]
    return DatabaseUnreachable(f"{shown(url)} cannot be reached: {type(problem).__name__}: {first_line}")
