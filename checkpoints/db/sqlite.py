"""SQLite, for one process: durable, and with one writer at a time.

WAL and `synchronous=FULL`: an acknowledged alert or decision survives a power cut. One connection for what
may write, and `BEGIN IMMEDIATE`, so that a transaction that will write never fails half-way on a busy file.
What only reads has connections of its own: with WAL it needn't wait, and holds nobody up.
"""

import asyncio
import time
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from checkpoints.db.sqlite_driver import Connection

_BUSY_TIMEOUT_MILLISECONDS = 10_000
_POOL_SECONDS = 60
_PAUSE_SECONDS = 0.02
_READERS = 2
_PRAGMAS = (f"busy_timeout={_BUSY_TIMEOUT_MILLISECONDS}", "synchronous=FULL", "foreign_keys=ON")


def make_sqlite_engine(address: URL, path: Path, *, reading: bool = False) -> AsyncEngine:
    """Return the engine for a file; its folder is made. A `reading` one can't write, and waits for nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)

    async def connect() -> Connection:
        (file,), options = engine.dialect.create_connect_args(address)
        connection = Connection(file, **options)
        await connection
        return connection

    engine = create_async_engine(
        address, async_creator=connect, pool_size=_READERS if reading else 1, max_overflow=0,
        pool_timeout=_POOL_SECONDS,
    )  # fmt: skip
    event.listen(engine.sync_engine, "connect", _configure)
    if reading:
        event.listen(engine.sync_engine, "connect", _forbid_writing)
    event.listen(engine.sync_engine, "begin", _begin_reading if reading else _begin)
    event.listen(engine.sync_engine, "invalidate", _roll_back)
    return engine


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would be deferred
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    _switch_to_wal(cursor)
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Have the file keep a write-ahead log. Where two do this first, SQLite refuses one without waiting."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_MILLISECONDS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            await_only(asyncio.sleep(_PAUSE_SECONDS))
        else:
            return


def _forbid_writing(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _begin(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _roll_back(connection: Any, _record: object, _error: object) -> None:
    """End the transaction of a connection that is given up because its task was cancelled.

    Closing alone doesn't: SQLite keeps the lock until the last statement is collected.
    """
    await_only(asyncio.shield(connection.driver_connection.rollback()))
