"""Evidence says which MCP server answered; an approval, who edited it and on what terms it is decided."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# By table: the column's name and type, and what it is in the rows that are there already.
_ADDED: dict[str, tuple[tuple[str, sa.types.TypeEngine[Any], Any], ...]] = {
    "evidence": (("server", sa.String(length=128), sa.text("'mendgate'")),),
    "approvals": (
        ("requested_by", sa.String(length=255), sa.text("''")),
        ("own_approval", sa.Boolean(), sa.true()),
        ("execute_within_seconds", sa.Double(), sa.text("1800")),
    ),
}


def upgrade() -> None:
    """Apply. Plain columns, so that SQLite needn't make a table anew that other tables' rows refer to."""
    for table, columns in _ADDED.items():
        for name, kind, value in columns:
            op.add_column(table, sa.Column(name, kind, nullable=False, server_default=value))


def downgrade() -> None:
    """Take back."""
    for table, columns in _ADDED.items():
        for name, _, _ in columns:
            op.drop_column(table, name)
