"""Calls that start later, what they are searched by, and requests that count once."""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, String, Text

revision = "0004"
down_revision = "0003"

_COLUMNS = (
    ("scheduled_at_ms", BigInteger),
    ("latest_at_ms", BigInteger),
    ("queued_at_ms", BigInteger),
    ("squad_id", String),
    ("phone_number_id", String),
    ("customer_number", String),
    ("ended_reason", String),
    ("cost_nano_usd", BigInteger),
    ("cost_version", Integer),
)


def upgrade(op: Operations) -> None:
    for name, kind in _COLUMNS:
        op.add_column("calls", Column(name, kind))
    op.execute("UPDATE calls SET queued_at_ms = created_at_ms")
    op.create_index("calls_unstarted", "calls", ["queued_at_ms", "ended_at_ms", "scheduled_at_ms"])
    op.create_table(
        "repeats",
        Column("org", String, nullable=False),
        Column("key_sha256", String, nullable=False),
        Column("asked_sha256", String, nullable=False),
        Column("calls", Text, nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("org", "key_sha256"),
    )
    op.create_index("repeats_by_age", "repeats", ["created_at_ms"])
