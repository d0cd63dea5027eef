"""Indexes for lists of one status, in their order, and for what is looked for every few seconds."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_LISTED = ("incidents", "approvals")
_ROUNDS = {"incident": "incident_id", "decide": "decide_by", "execute": "execute_by", "remind": "remind_at"}


def upgrade() -> None:
    """Apply. Whatever waits is looked at once: then it has its time."""
    for table in _LISTED:
        op.create_index(f"ix_{table}_status_created", table, ["status", "created_at", "id"])
        op.drop_index(f"ix_{table}_status", table)
    op.add_column("approvals", sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE approvals SET remind_at = created_at WHERE status = 'pending'")
    for name, column in _ROUNDS.items():
        op.create_index(f"ix_approvals_status_{name}", "approvals", ["status", column])


def downgrade() -> None:
    """Take back."""
    for name in _ROUNDS:
        op.drop_index(f"ix_approvals_status_{name}", "approvals")
    op.drop_column("approvals", "remind_at")
    for table in _LISTED:
        op.create_index(f"ix_{table}_status", table, ["status"])
        op.drop_index(f"ix_{table}_status_created", table)
