"""Evidence says which MCP server answered; an approval, who edited it and on what terms it is decided."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# By table: the column's name and type, and what it is in the rows that are there already.
_ADDED: dict[str, tuple[tuple[str, sa.types.TypeEngine[Any], str], ...]] = {
    "evidence": (("server", sa.String(length=128), "'alertmend'"),),
    "approvals": (
        ("requested_by", sa.String(length=255), "''"),
        ("own_approval", sa.Boolean(), "true"),
        ("execute_within_seconds", sa.Double(), "1800"),
    ),
}


def upgrade() -> None:
    """Apply."""
    for table, columns in _ADDED.items():
        with op.batch_alter_table(table) as batch:
            for name, kind, value in columns:
                batch.add_column(sa.Column(name, kind, nullable=False, server_default=sa.text(value)))
        with op.batch_alter_table(table) as batch:
            for name, kind, _ in columns:
                batch.alter_column(name, existing_type=kind, server_default=None)


def downgrade() -> None:
    """Take back."""
    for table, columns in _ADDED.items():
        with op.batch_alter_table(table) as batch:
            for name, _, _ in columns:
                batch.drop_column(name)
