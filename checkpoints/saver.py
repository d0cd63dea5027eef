"""Where LangGraph keeps its checkpoints: the ledger's SQLite file, on a connection of its own.

The saver commits its connection itself, so that it must never share one with the ledger.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from checkpoints.database import sqlite_path
from graph.state import CHECKPOINTED

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver


@asynccontextmanager
async def open_saver(url: str) -> AsyncIterator["BaseCheckpointSaver[str]"]:
    """Open the saver for the database at `url`."""
    import aiosqlite
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with aiosqlite.connect(sqlite_path(url), timeout=10) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=FULL")
        # Without a list the serializer would revive any type that a row names.
        saver = AsyncSqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=CHECKPOINTED))
        await saver.setup()
        yield saver
