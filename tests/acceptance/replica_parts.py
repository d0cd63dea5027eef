"""What is put into a replica's process before it starts: runs that are watched, and a slow mind."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import psycopg

from graph.domain.diagnosis import CallTools, DiagnosisStep, HandOver, ReadCall
from graph.ports import Case
from tests.empty_cluster import EmptyCluster
from tools.mcp.session import ToolResult
from tools.mcp.toolbox import ToolOffer

RUNS = """
    CREATE TABLE runs (
        incident_id text, pid int, began timestamptz DEFAULT clock_timestamp(), ended timestamptz
    )
"""
_LOOKS = 3


class SlowMind:
    """Looks a few times, and hands over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def decide(self, case: Case) -> DiagnosisStep:
        """Take a while."""
        await asyncio.sleep(self._seconds)
        if len(case.evidence) < _LOOKS:
            return DiagnosisStep(
                step=CallTools(reason="look", calls=(ReadCall(tool="kubectl_get", arguments={}),))
            )
        return DiagnosisStep(step=HandOver(reason="seen enough"))


class NoReader:
    """Offers nothing, so that the policy refuses every call."""

    async def offers(self) -> Sequence[ToolOffer]:
        """Return no tool."""
        return ()

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        """Never be called."""
        raise NotImplementedError


def watch_runs(url: str) -> None:
    """Note each run's beginning and end in the table `runs`; a killed one has no end."""
    from api.workers.run import Runs

    invoke = Runs._invoke

    async def watched(self: Runs, incident_id: str, *arguments: Any) -> None:
        values = {"incident": incident_id, "pid": os.getpid()}
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(
                "INSERT INTO runs (incident_id, pid) VALUES (%(incident)s, %(pid)s)", values
            )
            try:
                await invoke(self, incident_id, *arguments)
            finally:
                await connection.execute(
                    "UPDATE runs SET ended = clock_timestamp()"
                    " WHERE incident_id = %(incident)s AND pid = %(pid)s AND ended IS NULL",
                    values,
                )

    Runs._invoke = watched  # type: ignore[method-assign,assignment]  # this process is the test's own


def think_slowly(url: str) -> None:
    """Watch the runs, and let a slow mind lead them, which asks no cluster."""
    _think(url, 0.3)


def think_very_slowly(url: str) -> None:
    """Do so with runs that last longer than it takes to notice a dead replica."""
    _think(url, 2.0)


def only_answer(url: str) -> None:
    """Answer requests, and do no jobs."""
    from checkpoints.queue.jobs import Queue

    async def work(self: Queue, *_: Any) -> None:
        await asyncio.Event().wait()

    Queue.work = work  # type: ignore[method-assign,assignment]  # this process is the test's own


def _think(url: str, seconds: float) -> None:
    import api.serving.wiring
    from graph.builder import Nodes
    from graph.cluster.verification import Verifier
    from graph.nodes.conclusion import Conclusion
    from graph.nodes.investigation import Investigation
    from graph.nodes.remediation import Remediation

    async def open_nodes(_stack: AsyncExitStack, _settings: Any, ledger: Any) -> Nodes:
        nobody: Any = None
        return Nodes(
            investigation=Investigation(ledger.incidents, NoReader(), SlowMind(seconds), EmptyCluster()),
            remediation=Remediation(ledger.incidents, ledger.approvals, None, None),
            conclusion=Conclusion(ledger.incidents, ledger.approvals, Verifier(nobody)),
        )

    api.serving.wiring.open_nodes = open_nodes  # type: ignore[assignment]  # this process is the test's own
    watch_runs(url)
