"""Which key the stored secrets are encrypted with."""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, String

revision = "0005"
down_revision = "0004"


def upgrade(op: Operations) -> None:
    op.create_table(
        "secret_keys",
        Column("fingerprint", String, primary_key=True),
        Column("renewed_at_ms", BigInteger, nullable=False),
    )
