"""The database behind the ledger: one URL, SQLite by default.

SQLite: WAL, `synchronous=FULL` (an acknowledged alert or decision survives a power cut), one connection, and
`BEGIN IMMEDIATE`, so that a transaction that will write never fails half-way on a busy file.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from tools.errors import AlertmendError

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MILLISECONDS = 10_000
Transaction = Callable[[], AbstractAsyncContextManager[AsyncSession]]


class DatabaseUnavailable(AlertmendError):
    """The database is busy, full, read-only, damaged or gone; the message says which."""


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Transaction]:
    """Open the database at `url`, bring its tables up to date, and yield a factory of transactions.

    Each `async with transaction() as session` is one transaction, committed at its end. It raises
    `DatabaseUnavailable` where the database fails; nothing of the transaction is kept then.
    """
    engine = _create_engine(url)
    begin = async_sessionmaker(engine, expire_on_commit=False).begin

    @asynccontextmanager
    async def transaction() -> AsyncIterator[AsyncSession]:
        with _failures_named():
            async with begin() as session:
                yield session

    try:
        with _failures_named():
            async with engine.begin() as connection:
                await connection.run_sync(migrate)
        yield transaction
    finally:
        await engine.dispose()


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, PoolTimeout) as error:
        cause = error.orig if isinstance(error, DatabaseError) else "it is too busy"
        raise DatabaseUnavailable(
            f"the database can't be used now ({cause}): nothing was stored; try again"
        ) from error


def sqlite_path(url: str) -> Path:
    """Return the file behind a SQLite URL."""
    return Path(make_url(url).database or "")


def _create_engine(url: str) -> AsyncEngine:
    sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=60)
    _configure_sqlite(engine.sync_engine)
    return engine


def _configure_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would be deferred
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_MILLISECONDS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision (Alembic), inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
