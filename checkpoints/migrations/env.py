"""Alembic's entry point: runs the migrations on the connection that `checkpoints.db.engine.migrate` holds."""

from alembic import context

from checkpoints.db.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
