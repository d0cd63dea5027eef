"""The database behind the ledger: one URL, SQLite by default, Postgres where that isn't enough.

The tables and queries are the same on both. What differs is in `checkpoints.db.sqlite`,
`checkpoints.db.postgres` and `checkpoints.db.locks`.
"""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from checkpoints.db.text import make_storable
from tools.errors import BadInput


class Transaction(Protocol):
    """How the ledger's parts come to the database."""

    def __call__(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Begin a transaction, which is committed at the end of the block.

        Raises `DatabaseUnavailable` where the database fails; nothing of the transaction is kept then.
        """

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Begin one that only reads: on SQLite those who write don't wait for it, nor it for them."""


_POSTGRES = "postgresql+psycopg"
_DRIVERS = {
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    _POSTGRES: _POSTGRES,
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
}


def parse_url(url: str) -> URL:
    """Return what a database's URL says, or raise `BadInput`, which keeps its password to itself."""
    try:
        address = make_url(url)
        return address.set(drivername=_DRIVERS[address.drivername])
    except (ArgumentError, ValueError, KeyError):
        raise BadInput(
            "MENDGATE_DATABASE_URL can't be used: write sqlite+aiosqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE (special characters as %XX)"
        ) from None


def is_postgres(address: URL) -> bool:
    """Whether the database is Postgres; otherwise it is SQLite."""
    return address.drivername == _POSTGRES


def sqlite_path(address: URL) -> Path:
    """Return the file behind a SQLite URL."""
    return Path(address.database or "")


def make_engine(address: URL, *, patient: bool = False, reading: bool = False) -> AsyncEngine:
    """Return the engine for a database; it connects when it is used.

    A `patient` one, for migrations on Postgres, lets a statement take its time. A `reading` one, of SQLite,
    is for those who don't write.
    """
    engine = _make_engine(address, patient=patient, reading=reading)
    event.listen(engine.sync_engine, "before_cursor_execute", _keep_storable, retval=True)
    return engine


def _make_engine(address: URL, *, patient: bool, reading: bool) -> AsyncEngine:
    if is_postgres(address):
        from checkpoints.db.postgres import make_postgres_engine

        return make_postgres_engine(address, patient=patient)
    from checkpoints.db.sqlite import make_sqlite_engine

    return make_sqlite_engine(address, sqlite_path(address), reading=reading)


def _keep_storable(_c: object, _cursor: object, statement: str, values: Any, *_: object) -> tuple[str, Any]:
    """Let no text be refused, whether it is to be stored or searched for.

    JSON columns need no such care: they keep what JSON escapes, and a proposal reads back as it was digested.
    """
    return statement, make_storable(values)
