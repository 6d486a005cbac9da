"""Transactions, migrations and what goes wrong with them, on real databases."""

import asyncio
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import aiosqlite
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, text, update

from voxbus_database import (
    Database,
    DatabaseTooNew,
    DatabaseUnreachable,
    Schema,
    insert_new,
    open_database,
    sqlite_url,
)
from voxbus_testing.nats import free_port

NOTES = Table("notes", MetaData(), Column("id", Integer, primary_key=True), Column("words", String, nullable=False))

FIRST = """
from sqlalchemy import Column, Integer, String
revision = "0001"
down_revision = None
def upgrade(op):
    op.create_table("notes", Column("id", Integer, primary_key=True), Column("words", String, nullable=False))
"""
SECOND = """
revision = "0002"
down_revision = "0001"
def upgrade(op):
    op.execute("INSERT INTO notes (id, words) VALUES (1, 'from the second')")
"""
BROKEN = (
    SECOND
    + """
    op.execute("INSERT INTO nowhere (id) VALUES (1)")
"""
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of the revisions of the package `notes_migrations`."""
    versions = tmp_path / "code" / "notes_migrations" / "versions"
    versions.mkdir(parents=True)
    (versions.parent / "__init__.py").touch()
    (versions / "first.py").write_text(FIRST)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    yield versions
    for name in [each for each in sys.modules if each.startswith("notes_migrations")]:
        del sys.modules[name]


SCHEMA = Schema("note-taker", "notes_migrations")


async def words(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(select(NOTES.c.words).order_by(NOTES.c.id))).scalars())


async def test_what_a_failed_block_wrote_is_not_there(database_url: str, package: Path) -> None:
    database = await open_database(database_url, SCHEMA)
    async with database.write() as connection:
        await connection.execute(insert(NOTES), [{"id": 1, "words": "kept"}])
    with pytest.raises(KeyError):
        async with database.write() as connection:
            await connection.execute(insert(NOTES), [{"id": 2, "words": "lost"}])
            raise KeyError
    assert await words(database) == ["kept"]
    await database.close()


async def test_rows_that_are_there_stay_as_they_are(database_url: str, package: Path) -> None:
    database = await open_database(database_url, SCHEMA)
    for said in ("first", "second"):
        async with database.write() as connection:
            await connection.execute(insert_new(connection, NOTES), [{"id": 1, "words": said}])
    assert await words(database) == ["first"]
    await database.close()


async def test_writers_of_two_processes_wait_for_each_other(database_url: str, package: Path) -> None:
    first, second = [await open_database(database_url, SCHEMA) for _ in range(2)]

    async def write(database: Database, number: int) -> None:
        async with database.write() as connection:
            count = len((await connection.execute(select(NOTES.c.id))).all())
            await connection.execute(insert(NOTES), [{"id": number, "words": str(count)}])

    await asyncio.gather(
        *(write(each, 2 * number + offset) for number in range(10) for offset, each in ((0, first), (1, second)))
    )
    assert len(await words(first)) == 20
    await first.close()
    await second.close()


async def test_replicas_that_start_at_once_migrate_once(database_url: str, package: Path) -> None:
    (package / "second.py").write_text(SECOND)
    replicas = await asyncio.gather(*(open_database(database_url, SCHEMA) for _ in range(4)))
    assert await words(replicas[0]) == ["from the second"]
    for replica in replicas:
        await replica.close()


async def test_a_newer_version_migrates_what_an_older_one_left(database_url: str, package: Path) -> None:
    await (await open_database(database_url, SCHEMA)).close()
    (package / "second.py").write_text(SECOND)
    database = await open_database(database_url, SCHEMA)
    assert await words(database) == ["from the second"]
    await database.close()


async def test_a_migration_that_fails_leaves_everything_as_it_was(database_url: str, package: Path) -> None:
    await (await open_database(database_url, SCHEMA)).close()
    (package / "second.py").write_text(BROKEN)
    with pytest.raises(Exception, match="nowhere"):
        await open_database(database_url, SCHEMA)
    (package / "second.py").unlink()
    database = await open_database(database_url, SCHEMA)
    assert await words(database) == []
    await database.close()


async def test_a_database_of_a_newer_version_is_refused_by_name(database_url: str, package: Path) -> None:
    (package / "second.py").write_text(SECOND)
    await (await open_database(database_url, SCHEMA)).close()
    (package / "second.py").unlink()
    with pytest.raises(DatabaseTooNew, match="note-taker is at revision 0002"):
        await open_database(database_url, SCHEMA)


async def test_services_share_a_postgresql_database_each_in_a_schema(postgres_url: str, package: Path) -> None:
    one = await open_database(postgres_url, SCHEMA)
    other = await open_database(postgres_url, Schema("other", "notes_migrations"))
    async with one.write() as connection:
        await connection.execute(insert(NOTES), [{"id": 1, "words": "mine"}])
    assert (await words(one), await words(other)) == (["mine"], [])
    async with one.read() as connection:
        found = await connection.execute(text("SELECT schemaname FROM pg_tables WHERE tablename = 'notes'"))
        assert sorted(found.scalars()) == ["note_taker", "other"]
    await one.close()
    await other.close()


async def test_a_server_that_is_away_is_named_without_its_password(package: Path) -> None:
    port = free_port()
    with pytest.raises(DatabaseUnreachable, match=f"calls at 127.0.0.1:{port}") as refused:
        await open_database(f"postgresql://user:secret@127.0.0.1:{port}/calls", SCHEMA)
    assert "secret" not in str(refused.value)


async def test_a_database_that_does_not_exist_is_named(postgres_url: str, package: Path) -> None:
    with pytest.raises(DatabaseUnreachable, match=r"nowhere at 127\.0\.0\.1"):
        await open_database(postgres_url.rpartition("/")[0] + "/nowhere", SCHEMA)


async def test_a_connection_that_was_cut_is_replaced(postgres_url: str, package: Path) -> None:
    database = await open_database(postgres_url, SCHEMA)
    async with database.read() as connection:
        with pytest.raises(DatabaseUnreachable):
            async with database.write() as other:
                pid = (await other.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                await connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
                await other.execute(text("SELECT 1"))
    assert await words(database) == []
    await database.close()


async def test_a_file_another_process_keeps_locked_is_unreachable(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxbus_database.database._BUSY_TIMEOUT_MS", 50)
    first, second = [await open_database(sqlite_url(tmp_path / "x.db"), SCHEMA) for _ in range(2)]
    async with first.write():
        with pytest.raises(DatabaseUnreachable, match="locked"):
            async with second.write():
                pass
    await first.close()
    await second.close()


async def test_a_new_file_that_another_process_writes_while_it_is_opened_is_waited_for(
    tmp_path: Path, package: Path
) -> None:
    path = tmp_path / "x.db"
    async with aiosqlite.connect(path, isolation_level=None) as other:
        await other.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(open_database(sqlite_url(path), SCHEMA))
        await asyncio.sleep(0.2)
        assert not opening.done()
        await other.execute("COMMIT")
        database = await opening
    assert await words(database) == []
    await database.close()


async def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path, package: Path) -> None:
    database = await open_database(sqlite_url(tmp_path / "new" / "x.db"), SCHEMA)
    assert stat.S_IMODE((tmp_path / "new" / "x.db").stat().st_mode) == 0o600
    await database.close()


async def test_what_was_overwritten_is_in_the_file_no_more(tmp_path: Path, package: Path) -> None:
    database = await open_database(sqlite_url(tmp_path / "x.db"), SCHEMA)
    async with database.write() as connection:
        await connection.execute(insert(NOTES), [{"id": number, "words": "very-secret" * 50} for number in range(200)])
    async with database.write() as connection:
        await connection.execute(update(NOTES).values(words="changed"))
    assert any(b"very-secret" in path.read_bytes() for path in tmp_path.glob("x.db*"))
    await database.forget_overwritten()
    assert not any(b"very-secret" in path.read_bytes() for path in tmp_path.glob("x.db*"))
    assert await words(database) == ["changed"] * 200
    await database.close()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, package: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnreachable, match=r"file/x\.db cannot be reached"):
        await open_database(sqlite_url(tmp_path / "file" / "x.db"), SCHEMA)
