"""Watches the audit while the service runs: verifies it at the start, and logs its newest row now and then.

Logs are kept elsewhere, so that what they name as the newest row can't be cut off unseen.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from api.rounds import beside
from checkpoints.audit import Audit
from tools.errors import AlertmendError

log = logging.getLogger(__name__)


@asynccontextmanager
async def watching(
    audit: Audit, tell: Callable[[bool], None], *, every_seconds: float = 3600.0
) -> AsyncIterator[None]:
    """Watch until the block ends. The service doesn't wait for it, nor stop where something is wrong.

    Whoever altered the audit would otherwise have a way to keep people from rejecting and stopping. `tell`
    hears whether the audit is intact, once that is known.
    """
    async with beside(_watch(audit, tell, every_seconds), "audit"):
        yield


async def _watch(audit: Audit, tell: Callable[[bool], None], every_seconds: float) -> None:
    await _tell_whether_intact(audit, tell)
    while True:
        await _tell_head(audit)
        await asyncio.sleep(every_seconds)


async def _tell_whether_intact(audit: Audit, tell: Callable[[bool], None]) -> None:
    try:
        found = await audit.verify()
    except AlertmendError as error:
        log.error("the audit can't be verified: %s", error)  # noqa: TRY400 -- the message says it all
        return
    tell(found.intact)
    for fault in found.faults:
        log.error("THE AUDIT ISN'T INTACT (%s at row %d): %s", fault.kind, fault.seq, fault.detail)


async def _tell_head(audit: Audit) -> None:
    try:
        head = await audit.head()
    except AlertmendError as error:
        log.warning("the audit's newest row can't be read: %s", error)
        return
    if head:
        log.info("the audit's newest row is %d, sealed %s", head.seq, head.mac)
