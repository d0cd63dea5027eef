"""Where LangGraph keeps its checkpoints: the ledger's database, on connections of its own.

The savers commit their connections themselves, so that they must never share one with the ledger.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from sqlalchemy.engine import URL

from checkpoints.db.engine import is_postgres, parse_url, sqlite_path
from checkpoints.db.errors import SchemaMismatch
from graph.state import CHECKPOINTED

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    from checkpoints.db.postgres import SaverPool
    from checkpoints.savers.sqlite import SqliteSaver

TABLES = {
    "sqlite": ("checkpoints", "writes"),
    "postgresql": ("checkpoints", "checkpoint_blobs", "checkpoint_writes"),
}
"""The savers' tables, each with a column `thread_id`."""


@asynccontextmanager
async def open_saver(url: str) -> AsyncIterator["BaseCheckpointSaver[str]"]:
    """Open the saver for the database at `url`; SQLite's tables are made, Postgres' must be up to date."""
    address = parse_url(url)
    if not is_postgres(address):
        async with _open_sqlite(address) as on_sqlite:
            yield on_sqlite
        return
    async with _open_postgres(address) as (pool, on_postgres):
        present, needed = await _version(pool), len(on_postgres.MIGRATIONS) - 1
        if present != needed:
            remedy = "run `mendgate migrate`" if present < needed else "run the mendgate that made them"
            raise SchemaMismatch(
                f"the checkpoints' tables are at version {present}, {needed} is needed: {remedy}"
            )
        yield on_postgres


async def prepare_saver(address: URL) -> str:
    """Bring the saver's tables up to date and say what was done."""
    if not is_postgres(address):
        async with _open_sqlite(address):
            return "the checkpoints' tables are there"
    async with _open_postgres(address, patient=True) as (pool, saver):
        before = await _version(pool)
        await saver.setup()
        after = await _version(pool)
        if before == after:
            return f"the checkpoints' tables are at version {after} already"
        return f"the checkpoints' tables went from {before if before >= 0 else 'nothing'} to version {after}"


@asynccontextmanager
async def _open_sqlite(address: URL) -> AsyncIterator["SqliteSaver"]:
    import aiosqlite

    from checkpoints.savers.sqlite import SqliteSaver

    async with aiosqlite.connect(sqlite_path(address), timeout=10) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=FULL")
        saver = SqliteSaver(connection, serde=_serializer())
        await saver.setup()
        yield saver


@asynccontextmanager
async def _open_postgres(
    address: URL, *, patient: bool = False
) -> AsyncIterator[tuple["SaverPool", "AsyncPostgresSaver"]]:
    from checkpoints.db.postgres import SAVER_CONNECTIONS, SaverPool
    from checkpoints.savers.fenced_postgres import FencedSaver

    async with SaverPool(address, patient=patient) as pool:
        saver = FencedSaver(pool, serde=_serializer())
        # Its own lock lets one run at a time into the database; each has a connection of the pool to itself.
        saver.lock = cast("asyncio.Lock", asyncio.Semaphore(SAVER_CONNECTIONS))
        yield pool, saver


async def _version(pool: "SaverPool") -> int:
    """Return how far the saver's own migrations have come; -1 before the first."""
    async with pool.connection() as connection:
        known = await connection.execute("SELECT to_regclass('checkpoint_migrations') IS NOT NULL AS known")
        if not (await known.fetchone() or {})["known"]:
            return -1
        newest = await connection.execute("SELECT coalesce(max(v), -1) AS v FROM checkpoint_migrations")
        return int((await newest.fetchone() or {})["v"])


def _serializer() -> "JsonPlusSerializer":
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    # Without a list the serializer would revive any type that a row names.
    return JsonPlusSerializer(allowed_msgpack_modules=CHECKPOINTED)
