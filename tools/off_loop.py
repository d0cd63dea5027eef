"""Work that takes longer than a few milliseconds, kept off the event loop that answers requests.

The threads are few on purpose: each one at work can keep the loop waiting for the interpreter by another few
milliseconds, and asyncio's own threads must stay free for name look-ups and files. Requests have threads of
their own, so that somebody who waits for an answer doesn't wait for the runs.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

_THREADS = 2
_RUNS = ThreadPoolExecutor(_THREADS, thread_name_prefix="runs")
_REQUESTS = ThreadPoolExecutor(_THREADS, thread_name_prefix="requests")
P = ParamSpec("P")
R = TypeVar("R")


async def run_off_loop(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what `work`, a run's, returns, or raise what it raises; others are answered meanwhile.

    Nothing stops the work once it has begun, so that it must have bounds of its own.
    """
    return await _run(_RUNS, lambda: work(*args, **kwargs))


async def answer_off_loop(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do the same for a request, which somebody waits for."""
    return await _run(_REQUESTS, lambda: work(*args, **kwargs))


async def _run(pool: ThreadPoolExecutor, work: Callable[[], R]) -> R:
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, lambda: context.run(work))
