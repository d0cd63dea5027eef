"""What is done now and then, or all the time, beside what the service answers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)


@asynccontextmanager
async def background_task(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Have something done beside the block; it ends with the block, wherever it stands."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def repeat(work: Callable[[], Awaitable[None]], every_seconds: float, name: str) -> None:
    """Do something for ever. Where it fails, the log says so, and it is done again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("the %s failed; the next one is in %g s", name, every_seconds)
        await asyncio.sleep(every_seconds)
