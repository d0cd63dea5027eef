"""The tables' revisions: Alembic has the ledger's; LangGraph's saver and the queue have their own.

A service on SQLite migrates its file at the start. On Postgres several processes may share the database, so
that `mendgate migrate` does it, once, under a lock, and a service refuses to start beside other tables.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from checkpoints.db.engine import is_postgres, make_engine, parse_url
from checkpoints.db.errors import SchemaMismatch, SchemaTooNew, failures_named

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"
Tell = Callable[[str], None]


async def migrate_database(url: str, tell: Tell) -> None:
    """Bring the tables of the ledger, the saver and the queue up to date; `tell` each step.

    Safe when two do it at once. Raises `SchemaMismatch` if a newer mendgate has migrated this database.
    """
    from checkpoints.savers.opening import prepare_saver

    address = parse_url(url)
    async with AsyncExitStack() as stack:
        if is_postgres(address):  # SQLite's `BEGIN IMMEDIATE` lets one in at a time
            from checkpoints.db.postgres import hold_migration

            await stack.enter_async_context(hold_migration(address, tell))
        tell(await _migrate_ledger(address))
        tell(await prepare_saver(address))
        if is_postgres(address):
            from checkpoints.queue.jobs import prepare_queue

            tell(await prepare_queue(address))


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the tables up to a revision, inside the caller's transaction."""
    _require_known(connection)
    if revision == "head" and _present(connection) == _newest():
        return
    from alembic import command

    command.upgrade(configure(connection), revision)


def require_current(connection: Connection) -> None:
    """Raise `SchemaMismatch` unless the tables are what this version needs."""
    _require_known(connection)
    present, needed = _present(connection), _newest()
    if present != needed:
        found = f"its tables are at revision {present}" if present else "it has no tables yet"
        raise SchemaMismatch(f"the database isn't ready: {found}, not {needed}; run `mendgate migrate`")


def configure(connection: Connection) -> "Config":
    """Return Alembic's configuration for this connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


async def _migrate_ledger(address: URL) -> str:
    engine = make_engine(address, patient=True)
    try:
        with failures_named():
            async with engine.begin() as connection:
                before = await connection.run_sync(_present)
                await connection.run_sync(migrate)
                after = await connection.run_sync(_present)
    finally:
        await engine.dispose()
    if before == after:
        return f"the tables are at revision {after} already"
    return f"the tables went from {f'revision {before}' if before else 'nothing'} to revision {after}"


def _require_known(connection: Connection) -> None:
    """Raise `SchemaMismatch` if the tables are at a revision that this version doesn't know."""
    present = _present(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    if present is not None and present not in known:
        raise SchemaTooNew(
            f"a newer mendgate has brought this database to revision {present}, and this one knows "
            f"only up to {_newest()}: run the newer version, or restore a backup from before"
        )


def _present(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _newest() -> str | None:
    return _scripts().get_current_head()


@cache
def _scripts() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(MIGRATIONS))
