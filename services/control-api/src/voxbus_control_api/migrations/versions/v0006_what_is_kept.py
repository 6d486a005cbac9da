"""What is kept of a call, and whether what was to go is gone."""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Boolean, Column

revision = "0006"
down_revision = "0005"


def upgrade(op: Operations) -> None:
    op.add_column("calls", Column("is_recorded", Boolean))
    op.add_column("calls", Column("is_logged", Boolean))
    op.add_column("calls", Column("erased_at_ms", BigInteger))
    op.execute("UPDATE calls SET erased_at_ms = deleted_at_ms")
    op.create_index("calls_to_erase", "calls", ["erased_at_ms", "deleted_at_ms"])
