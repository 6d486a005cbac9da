"""Who may listen to a call and control it."""

from alembic.operations import Operations
from sqlalchemy import Column, Text

revision = "0007"
down_revision = "0006"


def upgrade(op: Operations) -> None:
    op.add_column("calls", Column("monitor_plan", Text))
