"""An organisation's open calls are counted by their index alone."""

from alembic.operations import Operations

revision = "0008"
down_revision = "0007"


def upgrade(op: Operations) -> None:
    op.drop_index("calls_of_org_open", "calls")
    op.create_index("calls_of_org_open", "calls", ["org", "ended_at_ms", "deleted_at_ms", "admitted_at_ms"])
