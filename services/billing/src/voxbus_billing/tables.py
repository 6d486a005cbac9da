"""Tables of billing's database; `migrations` makes them. Amounts are whole pico-dollars, see `money`."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA: Final = MetaData()

ACCOUNTS: Final = Table(
    "accounts",
    METADATA,
    Column("org", String, primary_key=True),
    Column("call", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("opened_at_ms", BigInteger),
    Column("price_version", String, nullable=False),
    Column("ended", Integer, nullable=False),
    Index("accounts_by_time", "opened_at_ms"),
)

ENTRIES: Final = Table(
    "entries",
    METADATA,
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
    Index("entries_of_account", "org", "call"),
)
"""`item` is empty for a step in the life of a call, which is counted and costs nothing."""

POSTINGS: Final = Table(
    "postings",
    METADATA,
    Column("entry_id", String, ForeignKey("entries.id"), primary_key=True),
    Column("account", String, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)

PRICE_TABLES: Final = Table(
    "price_tables",
    METADATA,
    Column("label", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("valid_from_ms", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
)
"""Every version of the prices that was ever in force, so that what it priced can be told again."""

UNBOOKED: Final = Table(
    "unbooked",
    METADATA,
    Column("event_id", String, primary_key=True),
    Column("org", String, nullable=False),
    Column("call", String, nullable=False),
    Column("name", String, nullable=False),
    Column("item", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("model", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("occurred_at_ms", BigInteger, nullable=False),
)
"""What was counted before there was a journal."""
