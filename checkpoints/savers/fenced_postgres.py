"""Keeps a run that was taken over from writing checkpoints: the ledger's epoch guards them too.

A worker that was stopped and wakes again would otherwise put its old state on top of the thread, and the next
wake-up would go on from there. The check and the write are one transaction, and the incident's row is locked
for it, so that no take-over comes between them.

This module loads LangGraph's saver: import it where it is used.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from graph.ports import StaleRun

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata

EPOCH = "run_epoch"
"""Where a run's configuration names its epoch, beside the thread's id; without it nothing is guarded."""

_guarded: ContextVar[tuple[str, int] | None] = ContextVar("guarded", default=None)


class FencedSaver(AsyncPostgresSaver):
    """Writes checkpoints only for the run that holds the incident; to others it raises `StaleRun`."""

    async def aput(
        self,
        config: "RunnableConfig",
        checkpoint: "Checkpoint",
        metadata: "CheckpointMetadata",
        new_versions: "ChannelVersions",
    ) -> "RunnableConfig":
        """Save a checkpoint."""
        with _guarding(config):
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: "RunnableConfig", writes: Any, task_id: str, task_path: str = ""
    ) -> None:
        """Save what a node wrote, before its checkpoint."""
        with _guarding(config):
            await super().aput_writes(config, writes, task_id, task_path)

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        """Lend a cursor: for a guarded write, inside a transaction that has found the run in its right."""
        guarded = _guarded.get()
        if guarded is None:
            async with super()._cursor(pipeline=pipeline) as cursor:
                yield cursor
            return
        assert isinstance(self.conn, AsyncConnectionPool), "it is opened on a pool"
        async with (
            self.lock,
            self.conn.connection() as connection,
            connection.transaction(),
            connection.cursor(binary=True, row_factory=dict_row) as cursor,
        ):
            await cursor.execute(
                "SELECT 1 FROM incidents WHERE id = %s AND run_epoch = %s FOR SHARE", guarded
            )
            if await cursor.fetchone() is None:
                raise StaleRun(f"run {guarded[1]} of incident {guarded[0]} was taken over; it stops here")
            yield cursor


@contextmanager
def _guarding(config: "RunnableConfig") -> Iterator[None]:
    configurable = config["configurable"]
    epoch = configurable.get(EPOCH)
    incident_id = str(configurable["thread_id"]).rpartition(".")[0]
    token = _guarded.set(None if epoch is None else (incident_id, epoch))
    try:
        yield
    finally:
        _guarded.reset(token)
