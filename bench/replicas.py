"""Several replicas on one Postgres: how much more gets done, and that nothing is done twice."""

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path

from sqlalchemy import func, select

from bench.databases import Databases
from bench.driver import Stand, open_stand
from bench.sections import Section
from checkpoints.db.tables import IncidentRow, IntentRow
from tests.databases import query

_REPLICAS = (1, 2, 4)
_INCIDENTS = 32
_LONGEST_SECONDS = 300


async def measure(databases: Databases) -> Section:
    """Spread deliveries and approvals over the replicas, and count runs and writes afterwards."""
    rows, doubled = [], 0
    for replicas in _REPLICAS:
        with databases.fresh("Postgres") as url, tempfile.TemporaryDirectory() as folder:
            async with AsyncExitStack() as stack:
                stands = [
                    await stack.enter_async_context(open_stand("mendgate", url, Path(folder)))
                    for _ in range(replicas)
                ]
                seconds = await _run_all(stands)
            runs = await query(url, select(IncidentRow.run_epoch))
            intents = await query(
                url, select(func.count()).select_from(IntentRow).group_by(IntentRow.approval_id)
            )
        twice = sum(epoch > 2 for (epoch,) in runs) + sum(count > 1 for (count,) in intents)
        doubled += twice
        rows.append((str(replicas), f"{_INCIDENTS / seconds:.1f}", str(len(runs)), str(twice)))
    return Section(
        title="Replicas",
        about=(
            f"{_INCIDENTS} full incidents on one Postgres, delivered to and approved on the replicas in "
            "turn. They share this machine's cores with Postgres and the client: the throughput says what "
            "coordination costs, not what more machines bring."
        ),
        head=("replicas", "incidents/s", "incidents", "run or written twice"),
        rows=rows,
        aim="no incident run twice at a time, nothing written twice",
        met=doubled == 0,
    )


async def _run_all(stands: list[Stand]) -> float:
    began = time.perf_counter()
    turns = cycle(stands)

    async def run(name: str, first: Stand, second: Stand) -> None:
        incident = await first.begin(name)
        await _reach(first, incident, "awaiting_approval")
        await second.approve(incident)
        await _reach(second, incident, "resolved")

    pairs = [(f"web-{number}", next(turns), next(turns)) for number in range(_INCIDENTS)]
    await asyncio.gather(*(run(*pair) for pair in pairs))
    return time.perf_counter() - began


async def _reach(stand: Stand, incident: str, status: str) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while (await stand.request("GET", f"/v1/incidents/{incident}")).json()["status"] != status:
        assert time.monotonic() < deadline, incident
        await asyncio.sleep(0.25)
