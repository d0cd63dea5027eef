"""How each alert stands now, merged incidents, and reminders."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Of each fingerprint, the row that came last; of several at once, the later start, and rather the end.
_LATEST = """
    INSERT INTO alert_states (fingerprint, status, starts_at, since, target_key, incident_id)
    SELECT a.fingerprint, a.status, a.starts_at, a.received_at, coalesce(i.target_key, ''), a.incident_id
    FROM alerts a LEFT JOIN incidents i ON i.id = a.incident_id
    WHERE NOT EXISTS (
        SELECT 1 FROM alerts b WHERE b.fingerprint = a.fingerprint AND (
            b.received_at > a.received_at
            OR (b.received_at = a.received_at AND b.starts_at > a.starts_at)
            OR (b.received_at = a.received_at AND b.starts_at = a.starts_at AND b.status > a.status)
        )
    )
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "alert_states",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("target_key", sa.String(length=600), nullable=False),
        sa.Column("incident_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"]),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    for column in ("status", "target_key", "incident_id"):
        op.create_index(op.f(f"ix_alert_states_{column}"), "alert_states", [column])
    op.execute(_LATEST)
    # plain columns, so that SQLite needn't make tables anew that other tables' rows refer to
    op.add_column("incidents", sa.Column("duplicate_of", sa.String(length=32), nullable=True))
    op.add_column(
        "approvals", sa.Column("reminders", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )


def downgrade() -> None:
    """Take back."""
    op.drop_column("approvals", "reminders")
    op.drop_column("incidents", "duplicate_of")
    for column in ("status", "target_key", "incident_id"):
        op.drop_index(op.f(f"ix_alert_states_{column}"), table_name="alert_states")
    op.drop_table("alert_states")
