"""How long it takes from a yes to the patch, and to read lists, however many other proposals wait."""

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.clients import percentile
from bench.copies import copy_audit, copy_incident
from bench.databases import Databases
from bench.driver import Stand, open_stand
from bench.lists import Times, compare_lists, time_lists, time_verification
from bench.sections import Chart, Section
from tests.integration.rest.sign_ins import sign_in

_PAUSED = (10, 10_000, 100_000)
_LISTED = (10_000, 100_000)
_DECISIONS = 20
_MOST = 1.5


@dataclass(frozen=True)
class _Found:
    """What was measured on one database, by the number of paused incidents. All times in seconds."""

    decisions: dict[int, list[float]]
    lists: dict[int, Times]
    verification: float


async def measure(databases: Databases) -> list[Section]:
    """Decide on proposals one after the other, and read the lists, beside ever more that are left alone."""
    found = {name: await _measure(databases, name) for name in databases.names}
    rows, ratios = [], []
    for database, one in found.items():
        fewest = median(one.decisions[_PAUSED[0]])
        for paused, times in one.decisions.items():
            ratios.append(median(times) / fewest)
            rows.append((
                database, f"{paused:,}", f"{1000 * median(times):.0f}",
                f"{1000 * percentile(times, 0.99):.0f}", f"{ratios[-1]:.2f}",
            ))  # fmt: skip
    return [
        Section(
            title="From the decision to the write",
            about=(
                f"From sending `POST …/approve` to the patch at the API server, {_DECISIONS} decisions one "
                "after the other, in turns on services with so many paused incidents in the database."
            ),
            head=("database", "paused incidents", "p50, ms", "p99, ms", "p50 against the fewest"),
            rows=rows,
            aim=f"flat within {_MOST} ×",
            met=max(ratios) <= _MOST,
            chart=Chart("From the yes to the patch, by paused incidents", "p50, ms", column=2),
        ),
        compare_lists(
            {database: one.lists for database, one in found.items()},
            {database: one.verification for database, one in found.items()},
        ),
    ]


async def _measure(databases: Databases, database: str) -> _Found:
    async with AsyncExitStack() as stack:
        stands = {paused: await _open(stack, databases, database, paused) for paused in _PAUSED}
        verification = await time_verification(stands[max(_PAUSED)])  # the one at the start is over then, too
        decisions: dict[int, list[float]] = {paused: [] for paused in _PAUSED}
        for number in range(_DECISIONS):
            for paused, stand in stands.items():
                decisions[paused].append(await _decide(stand, f"web-{number}"))
        lists = await time_lists({paused: stands[paused] for paused in _LISTED})
    return _Found(decisions, lists, verification)


async def _open(stack: AsyncExitStack, databases: Databases, database: str, paused: int) -> Stand:
    """Start a service beside so many paused incidents, and sign in to its page."""
    url = stack.enter_context(databases.fresh(database))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mendgate-bench-")))
    async with open_stand("mendgate", url, folder) as stand:
        copied = await stand.deliver("copied")
    await asyncio.to_thread(copy_incident, url, copied, paused)
    await asyncio.to_thread(copy_audit, url, (folder / "audit.key").read_bytes(), copied, paused)
    stand = await stack.enter_async_context(open_stand("mendgate", url, folder))
    signed_in = await sign_in(stand.client, stand.token)
    assert signed_in.has_redirect_location, signed_in.text
    return stand


async def _decide(stand: Stand, name: str) -> float:
    incident = await stand.deliver(name)
    found = (await stand.request("GET", f"/v1/incidents/{incident}")).json()
    approval = (await stand.request("GET", f"/v1/approvals/{found['approval_ids'][-1]}")).json()
    began = time.monotonic()
    body = {"digest": approval["digest"], "reason": "fine"}
    await stand.request("POST", f"/v1/approvals/{approval['id']}/approve", json=body)
    patched = await stand.patched(approval["target"]["name"])
    await stand.hear("ended", incident)
    return patched - began
