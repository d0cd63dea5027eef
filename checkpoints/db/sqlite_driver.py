"""aiosqlite with one visit to its thread per statement.

SQLAlchemy asks an asynchronous driver for a cursor, has it execute, fetches all rows, and closes it. With
aiosqlite each of these is a visit to the connection's thread, and costs more than most statements do.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Literal, Self

import aiosqlite

_Method = Literal["execute", "executemany"]


class Connection(aiosqlite.Connection):
    """A connection whose cursors do all of a statement at once; `options` are those of `sqlite3.connect`."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(lambda: sqlite3.connect(path, **options), iter_chunk_size=1)
        self._thread.daemon = True  # one that is left open lets the process end

    def cursor(self) -> "Cursor":  # type: ignore[override]  # that of its own is waited for
        """Return a cursor; the database hears of it when it executes."""
        return Cursor(self)

    async def run(self, cursor: "Cursor", method: _Method, statement: str, given: Sequence[Any]) -> None:
        """Execute a statement to its end."""
        await self._execute(cursor.run, self._conn, method, statement, given)  # type: ignore[no-untyped-call]


class Cursor:
    """What SQLAlchemy asks of an asynchronous driver's cursor, where it doesn't stream."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, given: Sequence[Any] = ()) -> None:
        """Execute a statement, and take its rows."""
        await self._connection.run(self, "execute", statement, given)

    async def executemany(self, statement: str, given: Sequence[Any]) -> None:
        """Execute a statement once for each that is given."""
        await self._connection.run(self, "executemany", statement, given)

    def run(
        self, connection: sqlite3.Connection, method: _Method, statement: str, given: Sequence[Any]
    ) -> None:
        """Do so in the connection's thread."""
        cursor = connection.cursor()
        try:
            getattr(cursor, method)(statement, given)
            self._rows = cursor.fetchall()
            self.description, self.rowcount = cursor.description, cursor.rowcount
            self.lastrowid = cursor.lastrowid
        finally:
            cursor.close()

    async def fetchall(self) -> list[Any]:
        """Return the rows."""
        return self._rows

    async def close(self) -> None:
        """Do nothing: it is closed."""
