"""Deletes what has been kept long enough while the service runs, a little at a time."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.workers.periodic import background_task
from checkpoints.incidents.retention import Keep, Retention
from tools.errors import MendgateError

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.2


@asynccontextmanager
async def retention_job(
    retention: Retention, keep: Keep, *, every_seconds: float = 3600.0
) -> AsyncIterator[None]:
    """Delete what is due until the block ends, at once and then at intervals, in the background."""
    async with background_task(_clear_forever(retention, keep, every_seconds), "clearing"):
        yield


async def _clear_forever(retention: Retention, keep: Keep, every_seconds: float) -> None:
    while True:
        try:
            while cleared := await retention.clear(keep):
                log.info(
                    "kept long enough, and deleted: the checkpoints of %d incidents, %d tool answers, "
                    "%d webhook bodies, %d deliveries",
                    cleared.checkpoints, cleared.evidence, cleared.webhooks, cleared.deliveries,
                )  # fmt: skip
                await asyncio.sleep(_PAUSE_SECONDS)  # others want to write, too
        except MendgateError as error:
            log.warning("can't delete what has been kept long enough: %s", error)
        await asyncio.sleep(every_seconds)
