"""Organisations; keys with a tag, restrictions and an end; calls that wait for a free place."""

import uuid

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, String, Text, bindparam, column, select, table, update

revision = "0003"
down_revision = "0002"

_KEYS = table("keys", column("sha256"), column("org"), column("created_at_ms"), column("id"), column("updated_at_ms"))


def upgrade(op: Operations) -> None:
    op.create_table(
        "orgs",
        Column("id", String, primary_key=True),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("updated_at_ms", BigInteger, nullable=False),
        Column("concurrency_limit", Integer),
        Column("body", Text, nullable=False),
    )
    op.execute(
        "INSERT INTO orgs (id, created_at_ms, updated_at_ms, body) "
        "SELECT org, MIN(created_at_ms), MIN(created_at_ms), '{}' FROM keys GROUP BY org"
    )
    _describe_keys(op)
    op.add_column("calls", Column("admitted_at_ms", BigInteger))
    op.execute("UPDATE calls SET admitted_at_ms = created_at_ms")
    op.create_index("calls_of_org_open", "calls", ["org", "ended_at_ms", "admitted_at_ms"])


def _describe_keys(op: Operations) -> None:
    op.add_column("keys", Column("id", String, nullable=False, server_default=""))
    op.add_column("keys", Column("updated_at_ms", BigInteger, nullable=False, server_default="0"))
    op.add_column("keys", Column("tag", String, nullable=False, server_default="private"))
    op.add_column("keys", Column("name", String))
    op.add_column("keys", Column("restrictions", Text))
    op.add_column("keys", Column("expires_at_ms", BigInteger))
    op.add_column("keys", Column("revoked_at_ms", BigInteger))
    connection = op.get_bind()
    for key in connection.execute(select(_KEYS.c.sha256, _KEYS.c.created_at_ms)).all():
        values = {"id": str(uuid.uuid4()), "updated_at_ms": key.created_at_ms}
        connection.execute(update(_KEYS).where(_KEYS.c.sha256 == bindparam("of")).values(values), {"of": key.sha256})
    op.create_index("keys_by_id", "keys", ["org", "id"], unique=True)
