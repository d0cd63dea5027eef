"""The runner of one replica among several on a Postgres database.

The queue's lock keeps two replicas from running one incident; the ledger's epoch keeps one that was thought
dead from writing. A sweep gives a job to whatever has something to do and has none: what a lost wake-up or a
dead replica left behind. Every replica sweeps; a job too many finds nothing to do.
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

    from checkpoints.queue.jobs import Queue

log = logging.getLogger(__name__)


class Replica:
    """Does the queue's jobs, `at_once` at a time."""

    def __init__(
        self,
        graph: "CompiledStateGraph[IncidentState, RunContext, IncidentState, IncidentState]",
        ledger: Ledger,
        queue: "Queue",
        *,
        at_once: int = 32,
        drain_seconds: float = 5.0,
    ) -> None:
        self._runs = Runs(graph, ledger)
        self._queue = queue
        self._at_once = at_once
        self._sweep_seconds = queue.heartbeat.sweep_seconds
        self._drain_seconds = drain_seconds

    @asynccontextmanager
    async def started(self) -> AsyncIterator["Replica"]:
        """Work until the block ends; then put the runs down, and leave them to the other replicas."""
        sweeper = asyncio.create_task(repeat(self._sweep, self._sweep_seconds, "sweep"), name="sweep")
        worker = asyncio.create_task(
            self._queue.work(self._do, self._at_once, self._drain_seconds), name="worker"
        )
        try:
            yield self
        finally:
            self._runs.drain()
            for task in (sweeper, worker):
                task.cancel()
            await asyncio.gather(sweeper, worker, return_exceptions=True)
            await self._hand_on()

    @property
    def at_work(self) -> int:
        """How many runs are under way here."""
        return len(self._runs.unfinished)

    async def waiting(self) -> int:
        """Return how many incidents have a job that no replica does yet."""
        return len(await self._queue.waiting())

    def wake(self, incident_id: str) -> None:
        """Do nothing: the job was committed with the change that makes the incident run."""

    async def retry(self, incident_id: str, by: str) -> None:
        """Open a failed incident again; its job is committed with that."""
        await self._runs.retry(incident_id, by)

    async def _do(self, incident_id: str) -> None:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        task.set_name(incident_id)  # the log says whose run it is
        await self._runs.go(incident_id)

    async def _sweep(self) -> None:
        await self._queue.drop_stalled_jobs()
        due = await self._runs.due()
        await self._queue.put(due - await self._queue.incidents_with_jobs())

    async def _hand_on(self) -> None:
        try:
            await self._queue.put(self._runs.unfinished - await self._queue.waiting())
        except Exception:
            log.exception("can't hand on what was running; another replica's sweep finds it")
