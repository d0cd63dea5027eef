"""Freezes of some namespaces, and freezes that an admin ended early."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Freezes that exist are about every namespace, as before."""
    op.add_column("freezes", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("freezes", sa.Column("namespaces", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take back. A freeze that was ended early stays ended."""
    op.execute("UPDATE freezes SET ends_at = ended_at WHERE ended_at IS NOT NULL")
    op.drop_column("freezes", "namespaces")
    op.drop_column("freezes", "ended_at")
