"""How long it takes from a yes to the patch, and to read lists, however many other proposals wait."""

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.clients import percentile
from bench.copies import copy_audit, copy_incident
from bench.databases import Databases
from bench.driver import Stand, open_stand
from bench.lists import Times, compare_lists, time_lists, time_verification
from bench.sections import Section
from tests.integration.rest.sign_ins import sign_in

_PAUSED = (10, 10_000, 100_000)
_LISTED = (1_000, 100_000)
_DECISIONS = 20
_MOST = 1.5


@dataclass
class _Found:
    """What was measured on one database, by the number of paused incidents. All times in seconds."""

    decisions: dict[int, list[float]] = field(default_factory=dict)
    lists: dict[int, Times] = field(default_factory=dict)
    verification: float = 0


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
    few, many = _LISTED
    return [
        Section(
            title="From the decision to the write",
            about=(
                f"From sending `POST …/approve` to the patch at the API server, {_DECISIONS} decisions one "
                "after the other, with so many paused incidents in the database."
            ),
            head=("database", "paused incidents", "p50, ms", "p99, ms", "p50 against the fewest"),
            rows=rows,
            aim=f"flat within {_MOST} ×",
            met=max(ratios) <= _MOST,
        ),
        compare_lists(
            few,
            many,
            {database: (one.lists[few], one.lists[many]) for database, one in found.items()},
            {database: one.verification for database, one in found.items()},
        ),
    ]


async def _measure(databases: Databases, database: str) -> _Found:
    found, there = _Found(), 0
    with databases.fresh(database) as url, tempfile.TemporaryDirectory(prefix="alertmend-bench-") as folder:
        async with open_stand("alertmend", url, Path(folder)) as stand:
            copied = await stand.deliver("copied")
        key = (Path(folder) / "audit.key").read_bytes()
        for paused in sorted({*_PAUSED, *_LISTED}):
            more = paused - there
            await asyncio.to_thread(copy_incident, url, copied, more, there)
            await asyncio.to_thread(copy_audit, url, key, copied, more, there)
            there = paused
            async with open_stand("alertmend", url, Path(folder)) as stand:
                found.verification = await time_verification(stand)
                if paused in _PAUSED:
                    names = [f"web-{paused}-{number}" for number in range(_DECISIONS)]
                    found.decisions[paused] = [await _decide(stand, name) for name in names]
                if paused in _LISTED:
                    signed_in = await sign_in(stand.client, stand.token)
                    assert signed_in.has_redirect_location, signed_in.text
                    found.lists[paused] = await time_lists(stand, paused // 2)
    return found


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
