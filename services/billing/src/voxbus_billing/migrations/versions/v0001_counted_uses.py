"""Uses and steps of calls, each once.

As versions before migrations made them: such a database has the table already, and is taken as it is.
"""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, String

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    op.create_table(
        "entries",
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
        if_not_exists=True,
    )
    op.create_index("entries_of_call", "entries", ["org", "call"], if_not_exists=True)
