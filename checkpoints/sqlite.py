"""SQLite, for one process: durable, and with one writer at a time.

WAL and `synchronous=FULL`: an acknowledged alert or decision survives a power cut. One connection, and
`BEGIN IMMEDIATE`, so that a transaction that will write never fails half-way on a busy file.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_BUSY_TIMEOUT_MILLISECONDS = 10_000
_POOL_SECONDS = 60
_PRAGMAS = (
    f"busy_timeout={_BUSY_TIMEOUT_MILLISECONDS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
)


def make_sqlite_engine(address: URL, path: Path) -> AsyncEngine:
    """Return the engine for a file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(address, pool_size=1, max_overflow=0, pool_timeout=_POOL_SECONDS)
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would be deferred
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
