"""Keys, assistants, calls and their events.

As versions before migrations made them: such a database has the tables already, and is taken as it is.
"""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, String, Text

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    op.create_table(
        "keys",
        Column("sha256", String, primary_key=True),
        Column("org", String, nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "assistants",
        Column("id", String, primary_key=True),
        Column("org", String, nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("updated_at_ms", BigInteger, nullable=False),
        Column("body", Text, nullable=False),
        if_not_exists=True,
    )
    _calls(op)
    _events(op)


def _calls(op: Operations) -> None:
    op.create_table(
        "calls",
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
        Column("generation", Integer, nullable=False),
        Column("record", Text),
        Column("record_generation", Integer),
        if_not_exists=True,
    )
    op.create_index("calls_of_org", "calls", ["org", "created_at_ms"], if_not_exists=True)
    op.create_index("calls_open", "calls", ["ended_at_ms", "started_at_ms"], if_not_exists=True)


def _events(op: Operations) -> None:
    op.create_table(
        "call_events",
        Column("event_id", String, primary_key=True),
        Column("call", String, nullable=False),
        Column("stream_seq", BigInteger, nullable=False),
        Column("name", String, nullable=False),
        Column("stage", String, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("occurred_at_ms", BigInteger, nullable=False),
        Column("payload", Text, nullable=False),
        if_not_exists=True,
    )
    op.create_index("events_of_call", "call_events", ["call", "stream_seq"], if_not_exists=True)
