"""Watches the audit while the service runs: verifies it, logs its newest row, looks whether it still fits.

Logs are kept elsewhere, so that what they name as the newest row can't be cut off unseen. The looks are for
what other replicas append: rows that this process has seen can't be cut off unseen either.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from api.workers.periodic import background_task, repeat
from checkpoints.audit.log import Audit
from checkpoints.db.errors import DatabaseUnavailable
from tools.errors import MendgateError

log = logging.getLogger(__name__)


@asynccontextmanager
async def watching(
    audit: Audit,
    find_doubt: Callable[[], Awaitable[str | None]],
    tell: Callable[[bool], None],
    *,
    every_seconds: float = 3600.0,
    look_seconds: float = 5.0,
) -> AsyncIterator[None]:
    """Watch until the block ends. The service doesn't wait for it, nor stop where something is wrong.

    Whoever altered the audit would otherwise have a way to keep people from rejecting and stopping. `tell`
    hears whether the audit is intact, once that is known.
    """
    doubts = _Doubts(find_doubt)
    async with (
        background_task(_watch(audit, tell, every_seconds), "audit"),
        background_task(repeat(doubts.look, look_seconds, "look at the audit"), "audit's looks"),
    ):
        yield


class _Doubts:
    """Logs when all writes stop because the audit or the stops don't fit, and when that has ended."""

    def __init__(self, find: Callable[[], Awaitable[str | None]]) -> None:
        self._find = find
        self._doubt: str | None = None

    async def look(self) -> None:
        """Look at what was appended since; a database that can't be used now is looked at the next time."""
        try:
            doubt = await self._find()
        except DatabaseUnavailable:
            return
        if doubt and doubt != self._doubt:
            log.error("ALL WRITES ARE STOPPED: %s. See docs/audit.md", doubt)
        elif self._doubt and not doubt:
            log.warning("the audit and the stops fit again: writes are no longer stopped for this reason")
        self._doubt = doubt


async def _watch(audit: Audit, tell: Callable[[bool], None], every_seconds: float) -> None:
    await _tell_whether_intact(audit, tell)
    while True:
        await _tell_head(audit)
        await asyncio.sleep(every_seconds)


async def _tell_whether_intact(audit: Audit, tell: Callable[[bool], None]) -> None:
    try:
        found = await audit.verify()
    except MendgateError as error:
        log.error("the audit can't be verified: %s", error)  # noqa: TRY400 -- the message says it all
        return
    tell(found.intact)
    for fault in found.faults:
        log.error("THE AUDIT ISN'T INTACT (%s at row %d): %s", fault.kind, fault.seq, fault.detail)


async def _tell_head(audit: Audit) -> None:
    try:
        head = await audit.head()
    except MendgateError as error:
        log.warning("the audit's newest row can't be read: %s", error)
        return
    if head:
        log.info("the audit's newest row is %d, sealed %s", head.seq, head.mac)
