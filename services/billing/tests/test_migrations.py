"""Migrations make exactly the tables the code speaks of; a folder of the first release is booked, each event once."""

import sqlite3
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from voxbus_billing.bill import bill
from voxbus_billing.journal import Fact, Use
from voxbus_billing.ledger import SCHEMA, open_ledger
from voxbus_billing.price_file import parse_prices
from voxbus_billing.tables import METADATA
from voxbus_contracts import CallRef
from voxbus_database import open_database, sqlite_url

OF_THE_FIRST_RELEASE = """
CREATE TABLE entries (event_id VARCHAR NOT NULL, org VARCHAR NOT NULL, call VARCHAR NOT NULL, name VARCHAR NOT NULL,
  item VARCHAR NOT NULL, provider VARCHAR NOT NULL, model VARCHAR NOT NULL, unit VARCHAR NOT NULL,
  quantity BIGINT NOT NULL, occurred_at_ms BIGINT NOT NULL, PRIMARY KEY (event_id));
CREATE INDEX entries_of_call ON entries (org, call);
"""
REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
PRICES = parse_prices(
    """
    [[price]]
    item = "voice"
    per_1000_characters = "1"
    [[price]]
    item = "vapi"
    per_minute = "0.5"
    """
)


def is_ours(_object: object, name: str | None, *_rest: object) -> bool:
    return name != SCHEMA.version_table


def differences(connection: Connection) -> list[object]:
    options = {"version_table": SCHEMA.version_table, "compare_type": True, "include_object": is_ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


async def test_migrations_make_exactly_the_tables_the_code_speaks_of(database_url: str) -> None:
    database = await open_database(database_url, SCHEMA)
    async with database.read() as connection:
        found = await connection.run_sync(differences)
    await database.close()
    assert found == []


async def test_a_folder_of_the_first_release_is_booked_once_however_often_it_starts(tmp_path: Path) -> None:
    path = tmp_path / "billing.db"
    old = sqlite3.connect(path)
    old.executescript(OF_THE_FIRST_RELEASE)
    rows = [
        ("e0", "call.started", "", "", "", "", 0, 100),
        ("e1", "usage.recorded", "voice", "vapi", "espeak-ng", "characters", 500, 200),
        ("e2", "usage.recorded", "voice", "vapi", "espeak-ng", "characters.wasted", 250, 300),
        ("e3", "usage.recorded", "transport", "vapi.websocket", "", "ms", 60_000, 400),
        ("e4", "call.ended", "", "", "", "", 0, 500),
    ]
    statement = "INSERT INTO entries VALUES (?, 'acme', ?, ?, ?, ?, ?, ?, ?, ?)"
    old.executemany(statement, [(row[0], REF.call, *row[1:]) for row in rows])
    old.commit()
    old.close()
    adopted: list[int] = []
    for _start in range(2):
        ledger = await open_ledger(sqlite_url(path), PRICES)
        adopted.append(await ledger.adopt())
        told = await ledger.statement(REF)
        await ledger.enter({REF: [Fact("e1", "usage.recorded", 200, Use("voice", "vapi", "x", "characters", 500))]})
        await ledger.close()
        assert told is not None
        assert (told.account.version, told.account.ended, told.account.opened_at_ms) == (5, True, 100)
        made = bill(told.lines)
        assert (made.total, made.breakdown["wasted"]) == ("1.25", "0.25")
        assert made.breakdown["ttsWastedCharacters"] == 250
    assert adopted == [5, 0]
