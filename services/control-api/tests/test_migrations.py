"""Migrations make exactly the tables the code speaks of, and find what older versions stored."""

import json
import sqlite3
from importlib.resources import files
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from cryptography.fernet import Fernet
from sqlalchemy import Connection

from voxbus_control_api.assistant_store import AssistantStore
from voxbus_control_api.call_store import CallStore
from voxbus_control_api.database import METADATA, SCHEMA, Database
from voxbus_control_api.event_store import EventStore
from voxbus_control_api.key_store import KeyStore
from voxbus_control_api.listing import Listing
from voxbus_control_api.resource_store import ResourceStore
from voxbus_control_api.secret_box import SecretBox
from voxbus_database import open_database, sqlite_url

BOX = SecretBox([Fernet.generate_key().decode()])

OF_THE_FIRST_RELEASE = """
CREATE TABLE keys (sha256 VARCHAR NOT NULL, org VARCHAR NOT NULL, created_at_ms BIGINT NOT NULL, PRIMARY KEY (sha256));
CREATE TABLE assistants (id VARCHAR NOT NULL, org VARCHAR NOT NULL, created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id));
CREATE INDEX assistants_of_org ON assistants (org, created_at_ms);
CREATE TABLE calls (id VARCHAR NOT NULL, org VARCHAR NOT NULL, created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL, deleted_at_ms BIGINT, attached_at_ms BIGINT, started_at_ms BIGINT,
  ended_at_ms BIGINT, assistant_id VARCHAR, call_type VARCHAR NOT NULL, transport TEXT NOT NULL,
  system_prompts TEXT NOT NULL, body TEXT NOT NULL, generation INTEGER NOT NULL, record TEXT,
  record_generation INTEGER, PRIMARY KEY (id));
CREATE INDEX calls_of_org ON calls (org, created_at_ms);
CREATE INDEX calls_open ON calls (ended_at_ms, started_at_ms);
CREATE TABLE call_events (event_id VARCHAR NOT NULL, call VARCHAR NOT NULL, stream_seq BIGINT NOT NULL,
  name VARCHAR NOT NULL, stage VARCHAR NOT NULL, epoch BIGINT NOT NULL, number BIGINT NOT NULL,
  occurred_at_ms BIGINT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (event_id));
CREATE INDEX events_of_call ON call_events (call, stream_seq);
"""
CALL = "11111111-1111-4111-8111-1111111111ab"
KEY_SHA256 = "82e0cf7b25a3d1a8b3bfe2f7e5ab9a3d7a2b8fd9d2f2ff3bb7bfa2c9c0b4b9ad"


def is_ours(_object: object, name: str | None, *_rest: object) -> bool:
    return name != SCHEMA.version_table


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": SCHEMA.version_table,
            "compare_type": True,
            "include_object": is_ours,
        },
    )
    return list(compare_metadata(context, METADATA))


async def test_migrations_make_exactly_the_tables_the_code_speaks_of(database: Database) -> None:
    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


def test_revisions_follow_one_another() -> None:
    folder = files(SCHEMA.migrations)
    script = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])
    assert len(script.get_heads()) == 1
    assert all(isinstance(each.down_revision, str | None) for each in script.walk_revisions())


async def test_a_folder_of_the_first_release_keeps_its_assistants_calls_and_keys(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    old = sqlite3.connect(path)
    old.executescript(OF_THE_FIRST_RELEASE)
    old.execute("INSERT INTO keys VALUES (?, 'acme', 1)", (KEY_SHA256,))
    old.execute("INSERT INTO assistants VALUES ('a1', 'acme', 5, 6, ?)", (json.dumps({"name": "Zoë\u0000"}),))
    old.execute(
        "INSERT INTO calls VALUES (?, 'acme', 7, 7, NULL, NULL, NULL, NULL, 'a1', 'vapi.websocketCall', "
        "'{}', '[]', '{\"name\":\"old\"}', 0, NULL, NULL)",
        (CALL,),
    )
    old.commit()
    old.close()
    for _start in range(2):
        database = await open_database(sqlite_url(path), SCHEMA)
        (assistant,) = await AssistantStore(ResourceStore(database, BOX)).find("acme", Listing())
        assert assistant.shown()["name"] == "Zoë\u0000"
        assert (assistant.id, assistant.created_at_ms, assistant.updated_at_ms) == ("a1", 5, 6)
        (call,) = await CallStore(database, EventStore(database), BOX, 100).find("acme", Listing())
        assert (call.ref.call, call.record["name"]) == (CALL, "old")
        assert await KeyStore(database).count() == 1
        async with database.read() as connection:
            assert await connection.run_sync(differences) == []
        await database.close()
