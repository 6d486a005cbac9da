"""The tables of the control API. Migrations make them; a test compares."""

import json
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, PrimaryKeyConstraint, String, Table, Text

from voxbus_database import Database, Schema

__all__ = [
    "CALLS",
    "CALL_EVENTS",
    "KEYS",
    "METADATA",
    "ORGS",
    "REPEATS",
    "RESOURCES",
    "SCHEMA",
    "SECRET_KEYS",
    "Database",
    "to_text",
]

SCHEMA: Final = Schema("control-api", "voxbus_control_api.migrations")

METADATA = MetaData()

KEYS = Table(
    "keys",
    METADATA,
    Column("sha256", String, primary_key=True),
    Column("org", String, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("id", String, nullable=False, server_default=""),
    Column("updated_at_ms", BigInteger, nullable=False, server_default="0"),
    Column("tag", String, nullable=False, server_default="private"),
    Column("name", String),
    Column("restrictions", Text),
    Column("expires_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
    Index("keys_by_id", "org", "id", unique=True),
)
"""A key that was revoked stays, so that a start that is given it does not bring it back."""

ORGS = Table(
    "orgs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("concurrency_limit", Integer),
    Column("body", Text, nullable=False),
)
"""`concurrency_limit` is empty where the installation's default counts."""

RESOURCES = Table(
    "resources",
    METADATA,
    Column("org", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("id", String, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("lookup", String),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("org", "kind", "id"),
    Index("resources_by_age", "org", "kind", "created_at_ms"),
    Index("resources_by_lookup", "kind", "lookup"),
)
"""What is stored as it was posted; `body` is text, for JSON columns of PostgreSQL refuse some JSON and reorder it."""

SECRET_KEYS = Table(
    "secret_keys",
    METADATA,
    Column("fingerprint", String, primary_key=True),
    Column("renewed_at_ms", BigInteger, nullable=False),
)
"""One row: the key that everything secret is encrypted with."""

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
    Column("admitted_at_ms", BigInteger),
    Column("scheduled_at_ms", BigInteger),
    Column("latest_at_ms", BigInteger),
    Column("queued_at_ms", BigInteger),
    Column("squad_id", String),
    Column("phone_number_id", String),
    Column("customer_number", String),
    Column("ended_reason", String),
    Column("cost_nano_usd", BigInteger),
    Column("cost_version", Integer),
    Column("is_recorded", Boolean),
    Column("is_logged", Boolean),
    Column("monitor_plan", Text),
    Column("erased_at_ms", BigInteger),
    Index("calls_of_org", "org", "created_at_ms"),
    Index("calls_open", "ended_at_ms", "started_at_ms"),
    Index("calls_of_org_open", "org", "ended_at_ms", "deleted_at_ms", "admitted_at_ms"),
    Index("calls_unstarted", "queued_at_ms", "ended_at_ms", "scheduled_at_ms"),
    Index("calls_to_erase", "erased_at_ms", "deleted_at_ms"),
)
"""`generation` counts the changes; `record` is the projection of generation `record_generation`, a cache.

`admitted_at_ms` is empty while the call waits for a free place of its organisation.
`scheduled_at_ms` is when a call is to start that was not to start at once; `queued_at_ms` when it was on the bus;
`is_recorded` and `is_logged` say what may be kept, empty = both; `erased_at_ms` is when a deleted call's artifacts were
ordered away. `cost_nano_usd` is the cost of `cost_version`, in billionths of a dollar.
"""

REPEATS = Table(
    "repeats",
    METADATA,
    Column("org", String, nullable=False),
    Column("key_sha256", String, nullable=False),
    Column("asked_sha256", String, nullable=False),
    Column("calls", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("org", "key_sha256"),
    Index("repeats_by_age", "created_at_ms"),
)
"""Requests that a client may send again and that count once; `calls` are the ids of what they made."""

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


def to_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
