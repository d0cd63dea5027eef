"""The audit. Triggers refuse to change its rows; that nobody did so all the same, the seals prove."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# INSERT OR REPLACE takes a row away without firing the trigger on DELETE.
_SQLITE_CHANGES = (
    "UPDATE ON audit",
    "DELETE ON audit",
    "INSERT ON audit WHEN NEW.seq IN (SELECT seq FROM audit)",
)
_POSTGRES_CHANGES = ("UPDATE OR DELETE ON audit FOR EACH ROW", "TRUNCATE ON audit FOR EACH STATEMENT")
_REFUSE_ON_SQLITE = "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
_REFUSE_ON_POSTGRES = """
    CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("incident_id", sa.String(length=32), nullable=True),
        sa.Column("approval_id", sa.String(length=32), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index(op.f("ix_audit_incident_id"), "audit", ["incident_id"])
    op.create_index(op.f("ix_audit_approval_id"), "audit", ["approval_id"])
    if _is_postgres():
        op.execute(_REFUSE_ON_POSTGRES)
        for number, change in enumerate(_POSTGRES_CHANGES):
            op.execute(f"CREATE TRIGGER audit_{number} BEFORE {change} EXECUTE FUNCTION audit_refuses()")
    else:
        for number, change in enumerate(_SQLITE_CHANGES):
            op.execute(f"CREATE TRIGGER audit_{number} BEFORE {change} {_REFUSE_ON_SQLITE}")


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_audit_approval_id"), table_name="audit")
    op.drop_index(op.f("ix_audit_incident_id"), table_name="audit")
    op.drop_table("audit")
    if _is_postgres():
        op.execute("DROP FUNCTION audit_refuses()")


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
