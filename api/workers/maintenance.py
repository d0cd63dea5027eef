"""Upkeep: what nobody asks for, but time and the cluster bring about.

Reminders of proposals that wait, withdrawals of those that nobody needs any more, and incidents about alerts
that outlive a cool-down. Each is decided in the ledger, so that several services may do it at once.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from api.workers.periodic import background_task, repeat
from checkpoints.ledger import Ledger
from graph.cluster.health import find_fault
from graph.ports import ClusterReader

log = logging.getLogger(__name__)


class MaintenanceLoop:
    """Runs the periodic tasks; `wake` notifies the runner that an incident has something to do."""

    def __init__(
        self,
        ledger: Ledger,
        cluster_reader: ClusterReader,
        wake: Callable[[str], None],
        *,
        every_seconds: float = 5.0,
    ) -> None:
        self._ledger = ledger
        self._observer = cluster_reader
        self._wake = wake
        self._every_seconds = every_seconds

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """Run the tasks at intervals until the block ends."""
        async with background_task(repeat(self.go_round, self._every_seconds, "maintenance"), "maintenance"):
            yield

    async def go_round(self) -> None:
        """Do everything that is due."""
        for reminder in await self._ledger.reminders.remind():
            log.warning("%s", reminder)
        for incident_id in await self._ledger.recurrence.open_again():
            self._wake(incident_id)
        await self._withdraw()

    async def _withdraw(self) -> None:
        for approval in await self._ledger.withdrawals.candidates():
            workload = approval.proposal.verification_plan.workload
            if fault := await find_fault(self._observer, workload):
                reason = f"every alert has resolved, but the symptom hasn't gone: {fault}"
                await self._ledger.withdrawals.explain(approval, reason)
            elif await self._ledger.withdrawals.withdraw(
                approval.id, f"every alert has resolved, and {workload} is healthy"
            ):
                log.info("approval %s is withdrawn: nobody needs it any more", approval.id)
                self._wake(approval.proposal.incident_id)
