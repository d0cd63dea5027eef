"""Background work: once for a while, or again and again at intervals."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)


@asynccontextmanager
async def background_task(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Run a coroutine in the background while the block runs; it is cancelled when the block ends."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def repeat(work: Callable[[], Awaitable[None]], every_seconds: float, name: str) -> None:
    """Do something for ever, at intervals. A failure is logged, and the next interval tries again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("the %s failed; the next one is in %g s", name, every_seconds)
        await asyncio.sleep(every_seconds)
