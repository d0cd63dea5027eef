"""What isn't counted as it happens, but looked up when Prometheus asks: the ledger in numbers, and the work.

The ledger is asked at most once in some seconds, however many ask for the metrics.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from checkpoints.ledger_counts import Census, Counts
from tools.errors import MendgateError

log = logging.getLogger(__name__)
_FRESH_SECONDS = 10.0
_PATIENCE_SECONDS = 5.0


class Work(Protocol):
    """Who runs incidents."""

    @property
    def at_work(self) -> int:
        """How many runs are under way in this process."""

    async def waiting(self) -> int:
        """Return how many incidents wait for a run."""


@dataclass(frozen=True)
class _Picture:
    census: Census
    waiting: int


class Gauges(Collector):
    """Shows the latest look at the ledger. Where it failed, `mendgate_ledger_up` is 0, the rest absent."""

    def __init__(self, counts: Counts, work: Work, clock: Callable[[], float] = monotonic) -> None:
        self._counts = counts
        self._work = work
        self._clock = clock
        self._looking = asyncio.Lock()
        self._picture: _Picture | None = None
        self._until = 0.0

    async def refresh(self) -> None:
        """Look at the ledger, unless that was done just now."""
        async with self._looking:
            if self._clock() < self._until:
                return
            self._picture = await self._look()
            self._until = self._clock() + _FRESH_SECONDS

    async def _look(self) -> _Picture | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return _Picture(await self._counts.census(), await self._work.waiting())
        except (MendgateError, TimeoutError) as error:
            log.warning("the metrics lack the ledger's numbers: %s", error or "it was too slow")
            return None

    def describe(self) -> Iterator[Metric]:
        """Name what is shown, without a look."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Show what the latest look found."""
        yield _gauge("ledger_up", "Whether the ledger could be read.", self._picture is not None)
        yield _gauge("runs_at_work", "Runs under way in this process.", self._work.at_work)
        if self._picture is None:
            return
        census = self._picture.census
        incidents = GaugeMetricFamily("mendgate_incidents", "Incidents by status.", labels=["status"])
        for status, number in census.incidents.items():
            incidents.add_metric([status], number)
        yield incidents
        yield _gauge("queue_depth", "Incidents that wait for a run.", self._picture.waiting)
        yield _gauge("approvals_pending", "Proposals that nobody has decided on.", census.pending_approvals)
        about = "How long the oldest of them has waited; 0 without any."
        yield _gauge("approvals_oldest_pending_seconds", about, census.oldest_pending_seconds)
        about = "Executions whose end nobody has settled."
        yield _gauge("executions_unsettled", about, census.unknown_executions)
        yield _gauge("kill_switch", "Whether the kill switch stops every write.", census.kill_switch)
        yield _gauge("audit_rows", "Rows of the audit.", census.audit_rows)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mendgate_{name}", about, value=float(value))
