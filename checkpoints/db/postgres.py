"""Postgres: how connections are made, bounded and checked.

This module loads psycopg: import it where it is used.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from checkpoints.db.errors import unavailable
from checkpoints.db.locks import MIGRATION
from checkpoints.db.text import make_storable

SAVER_CONNECTIONS = 8
_LEDGER_CONNECTIONS = 8
_POOL_SECONDS = 10
_POLL_SECONDS = 0.2
# TimeZone: an instant of the year 1, as Alertmanager's "not ended", exists in no zone west of Greenwich.
_SESSION = {"TimeZone": "UTC", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s"}
_STATEMENT_TIMEOUT = {"statement_timeout": "30s"}
_CLIENT = {
    "application_name": "mendgate",
    "connect_timeout": "10",
    # A network that swallows packets is noticed within a minute.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_Connection = psycopg.AsyncConnection[DictRow]


def make_postgres_engine(address: URL, *, patient: bool) -> AsyncEngine:
    """Return the ledger's engine.

    The locks of `checkpoints.db.locks` are made for READ COMMITTED, whatever the server's default is.
    """
    return create_async_engine(
        address,
        isolation_level="READ COMMITTED",
        pool_size=_LEDGER_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,  # a restarted server costs a new connection, not a failed run
        connect_args=connect_arguments(address, patient=patient),
    )


def connect_arguments(address: URL, *, patient: bool = False) -> dict[str, Any]:
    """Return libpq's parameters for an address: ours, and over them what the URL says."""
    _, given = address.get_dialect()().create_connect_args(address)
    session = _SESSION | ({} if patient else _STATEMENT_TIMEOUT)
    ours = " ".join(f"-c {name}={value}" for name, value in session.items())
    return {**_CLIENT, **given, "options": f"{ours} {given.get('options', '')}".strip()}


class SaverPool(AsyncConnectionPool[_Connection]):
    """The saver's connections, apart from the ledger's; whatever fails on them is `DatabaseUnavailable`."""

    def __init__(self, address: URL, *, patient: bool = False) -> None:
        super().__init__(
            connection_class=_Connection,
            kwargs={
                **connect_arguments(address, patient=patient),
                "autocommit": True, "prepare_threshold": 0, "row_factory": dict_row,
            },
            min_size=1,
            max_size=SAVER_CONNECTIONS,
            timeout=_POOL_SECONDS,
            check=AsyncConnectionPool.check_connection,
            configure=_configure_saver,
            open=False,
        )  # fmt: skip

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[_Connection]:  # noqa: ASYNC109 -- the pool's own signature
        """Lend one connection."""
        try:
            async with super().connection(timeout) as connection:
                yield connection
        except psycopg.Error as error:
            raise unavailable(error) from error


@asynccontextmanager
async def hold_migration(address: URL, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Let one migration at a time into a database; `tell` if another one is under way.

    It waits by asking again: to wait inside a statement would hold up the `CREATE INDEX CONCURRENTLY` of the
    saver, and Postgres would end one of the two as a deadlock.
    """
    try:
        connection = await psycopg.AsyncConnection.connect(autocommit=True, **connect_arguments(address))
    except psycopg.Error as error:
        raise unavailable(error) from error
    async with connection:
        waiting = False
        while not await _try_lock(connection, MIGRATION):
            if not waiting:
                tell("another migration is under way; waiting for it")
            waiting = True
            await asyncio.sleep(_POLL_SECONDS)
        yield
        # The server would only notice after a while that the connection is closed. One that was lost during
        # the migration has given the lock back.
        with suppress(psycopg.Error):
            await connection.execute("SELECT pg_advisory_unlock(%s)", (MIGRATION,))


async def _try_lock(connection: psycopg.AsyncConnection[Any], key: int) -> bool:
    answer = await connection.execute("SELECT pg_try_advisory_lock(%s)", (key,))
    return bool((await answer.fetchone() or (False,))[0])


async def _configure_saver(connection: _Connection) -> None:
    # JSONB refuses NUL and halves of characters, which a state may hold
    set_json_dumps(lambda document: json.dumps(make_storable(document)), connection)
