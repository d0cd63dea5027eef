"""Processes forked from one that has imported everything, which takes longer than most tests."""

import multiprocessing
from multiprocessing.context import ForkServerContext


def fork_context() -> ForkServerContext:
    """Return how they are made. There is one parent for all of them, which starts with the first."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.preloaded"])
    return context
