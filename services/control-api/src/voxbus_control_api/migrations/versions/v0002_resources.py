"""One table for everything that is stored as it was posted; assistants move there."""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String, Text

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    op.create_table(
        "resources",
        Column("org", String, nullable=False),
        Column("kind", String, nullable=False),
        Column("id", String, nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("updated_at_ms", BigInteger, nullable=False),
        Column("lookup", String),
        Column("body", Text, nullable=False),
        PrimaryKeyConstraint("org", "kind", "id"),
    )
    op.create_index("resources_by_age", "resources", ["org", "kind", "created_at_ms"])
    op.create_index("resources_by_lookup", "resources", ["kind", "lookup"])
    op.execute(
        "INSERT INTO resources (org, kind, id, created_at_ms, updated_at_ms, body) "
        "SELECT org, 'assistant', id, created_at_ms, updated_at_ms, body FROM assistants"
    )
    op.drop_table("assistants")
