"""Lists of one status are read from an index in their order, instead of being sorted whole for each page."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("incidents", "approvals")


def upgrade() -> None:
    """Apply."""
    for table in _TABLES:
        op.create_index(f"ix_{table}_status_created", table, ["status", "created_at", "id"])
        op.drop_index(f"ix_{table}_status", table)


def downgrade() -> None:
    """Take back."""
    for table in _TABLES:
        op.create_index(f"ix_{table}_status", table, ["status"])
        op.drop_index(f"ix_{table}_status_created", table)
