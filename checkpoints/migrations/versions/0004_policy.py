"""Approvals carry the policy's rule, who may approve, and when they were claimed (for the budget)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. What is there already may be approved by any approver, and was claimed when its intent says.

    Plain columns, so that SQLite needn't make the table anew, which other tables' rows refer to.
    """
    op.add_column("approvals", sa.Column("rule", sa.String(length=64), nullable=True))
    op.add_column("approvals", sa.Column("approvers", sa.JSON(), nullable=True))
    op.add_column("approvals", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_approvals_claimed_at", "approvals", ["claimed_at"])
    op.execute(
        "UPDATE approvals SET claimed_at ="
        " (SELECT min(intents.at) FROM intents WHERE intents.approval_id = approvals.id)"
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_approvals_claimed_at", "approvals")
    for name in ("claimed_at", "approvers", "rule"):
        op.drop_column("approvals", name)
