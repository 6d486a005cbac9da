"""Accounts, entries and their postings. What was counted before waits in `unbooked` until billing has booked it."""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Integer, String, Text

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    op.drop_index("entries_of_call", "entries")
    op.rename_table("entries", "unbooked")
    op.create_table(
        "accounts",
        Column("org", String, primary_key=True),
        Column("call", String, primary_key=True),
        Column("version", BigInteger, nullable=False),
        Column("opened_at_ms", BigInteger),
        Column("price_version", String, nullable=False),
        Column("ended", Integer, nullable=False),
    )
    op.create_index("accounts_by_time", "accounts", ["opened_at_ms"])
    _entries(op)
    op.create_table(
        "postings",
        Column("entry_id", String, ForeignKey("entries.id"), primary_key=True),
        Column("account", String, primary_key=True),
        Column("amount", BigInteger, nullable=False),
    )
    op.create_table(
        "price_tables",
        Column("label", String, primary_key=True),
        Column("name", String, nullable=False),
        Column("valid_from_ms", BigInteger, nullable=False),
        Column("content", Text, nullable=False),
    )


def _entries(op: Operations) -> None:
    op.create_table(
        "entries",
        Column("id", String, primary_key=True),
        Column("event_id", String, nullable=False),
        Column("org", String, nullable=False),
        Column("call", String, nullable=False),
        Column("name", String, nullable=False),
        Column("occurred_at_ms", BigInteger, nullable=False),
        Column("item", String, nullable=False),
        Column("provider", String, nullable=False),
        Column("model", String, nullable=False),
        Column("unit", String, nullable=False),
        Column("purpose", String, nullable=False),
        Column("wasted", Integer, nullable=False),
        Column("quantity", BigInteger, nullable=False),
        Column("price_version", String, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("reverses", String, nullable=False),
        ForeignKeyConstraint(["org", "call"], ["accounts.org", "accounts.call"]),
    )
    op.create_index("entries_of_account", "entries", ["org", "call"])
