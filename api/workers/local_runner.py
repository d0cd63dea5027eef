"""The runner of a service that has its database to itself: starts and wakes runs, one per incident at a time.

A sweep at the start, and now and then, finds whatever still has to run. Where several share a database it is
`api.workers.queue_runner` that does this.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api.workers.periodic import repeat
from api.workers.run import Runs
from checkpoints.ledger import Ledger
from graph.state import IncidentState, RunContext

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

log = logging.getLogger(__name__)


class Runner:
    """Runs incidents through the graph. `at_once` bounds how many run in parallel."""

    def __init__(
        self,
        graph: "CompiledStateGraph[IncidentState, RunContext, IncidentState, IncidentState]",
        ledger: Ledger,
        *,
        at_once: int = 32,
        sweep_seconds: float = 5.0,
        drain_seconds: float = 5.0,
    ) -> None:
        self._runs = Runs(graph, ledger)
        self._places = asyncio.Semaphore(at_once)
        self._sweep_seconds = sweep_seconds
        self._drain_seconds = drain_seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    @asynccontextmanager
    async def started(self) -> AsyncIterator["Runner"]:
        """Sweep until the block ends; then stop the runs where they are, within the time to drain."""
        sweeper = asyncio.create_task(repeat(self._sweep, self._sweep_seconds, "sweep"), name="sweep")
        try:
            yield self
        finally:
            sweeper.cancel()
            self._runs.drain()
            runs = list(self._running.values())
            if runs:
                await asyncio.wait(runs, timeout=self._drain_seconds)
            for task in (sweeper, *runs):
                task.cancel()
            await asyncio.gather(sweeper, *runs, return_exceptions=True)

    @property
    def at_work(self) -> int:
        """How many runs are under way."""
        return len(self._runs.unfinished)

    async def waiting(self) -> int:
        """Return how many incidents wait for a place to run."""
        return max(0, len(self._running) - self.at_work)  # what was put down counts as at work

    def wake(self, incident_id: str) -> None:
        """See whether the incident has something to do, now or right after its present run."""
        if self._runs.is_draining:
            return  # the next start sweeps
        if incident_id in self._running:
            self._again.add(incident_id)
            return
        self._running[incident_id] = asyncio.create_task(self._run_while_woken(incident_id), name=incident_id)

    async def retry(self, incident_id: str, by: str) -> None:
        """Open a failed incident again, and wake it."""
        await self._runs.retry(incident_id, by)
        self.wake(incident_id)

    async def _sweep(self) -> None:
        for incident_id in await self._runs.due():
            if incident_id not in self._running:
                self.wake(incident_id)

    async def _run_while_woken(self, incident_id: str) -> None:
        try:
            while True:
                self._again.discard(incident_id)
                async with self._places:
                    await self._runs.go(incident_id)
                if incident_id not in self._again:
                    return
        finally:  # at once: who wakes it from here on must not be told that it runs
            del self._running[incident_id]
