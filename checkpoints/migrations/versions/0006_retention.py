"""When an incident's checkpoints and a tool's answer were deleted, because they had been kept long enough."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ADDED = {"incidents": "cleared_at", "evidence": "deleted_at"}


def upgrade() -> None:
    """Apply."""
    for table, column in _ADDED.items():
        op.add_column(table, sa.Column(column, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Take back."""
    for table, column in _ADDED.items():
        op.drop_column(table, column)
