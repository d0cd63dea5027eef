"""Approvals carry the policy's rule, who may approve, and when they were claimed (for the budget)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. What is there already may be approved by any approver, and was claimed when its intent says."""
    with op.batch_alter_table("approvals") as batch:
        batch.add_column(sa.Column("rule", sa.String(length=64), nullable=False, server_default=""))
        batch.add_column(sa.Column("approvers", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
        batch.add_column(sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("approvals") as batch:
        batch.alter_column("rule", existing_type=sa.String(length=64), server_default=None)
        batch.alter_column("approvers", existing_type=sa.JSON(), server_default=None)
        batch.create_index("ix_approvals_claimed_at", ["claimed_at"])
    op.execute(
        "UPDATE approvals SET claimed_at ="
        " (SELECT min(intents.at) FROM intents WHERE intents.approval_id = approvals.id)"
    )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("approvals") as batch:
        batch.drop_index("ix_approvals_claimed_at")
        batch.drop_column("claimed_at")
        batch.drop_column("approvers")
        batch.drop_column("rule")
