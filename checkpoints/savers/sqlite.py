"""LangGraph's saver for SQLite, told to fail as the ledger does.

This module loads LangGraph: import it where it is used.
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from checkpoints.db.errors import unavailable


class SqliteSaver(AsyncSqliteSaver):
    """Raises `DatabaseUnavailable` for whatever the driver raises: the run stands where it stood before."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint."""
        async with self._failures_named():
            return await super().aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint."""
        async with self._failures_named():
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a node has written, before the checkpoint."""
        async with self._failures_named():
            await super().aput_writes(config, writes, task_id, task_path)

    @asynccontextmanager
    async def _failures_named(self) -> AsyncIterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise unavailable(error) from error
