"""How long it takes from a person's yes to the patch, however many other proposals wait."""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.clients import percentile
from bench.copies import copy_incident
from bench.databases import Databases
from bench.driver import Stand, open_stand
from bench.sections import Section

_PAUSED = (10, 10_000, 100_000)
_DECISIONS = 40
_MOST = 1.5
_LISTS = ("/v1/incidents?limit=50", "/v1/approvals?status=pending&limit=50")


async def measure(databases: Databases) -> list[Section]:
    """Decide on proposals one after the other, beside ever more that are left alone; then read the lists."""
    rows, lists, ratios, list_ratios = [], [], [], []
    for database in databases.names:
        medians, read = [], []
        for paused in _PAUSED:
            with databases.fresh(database) as url, tempfile.TemporaryDirectory() as folder:
                incidents = await _pause(url, Path(folder))
                await asyncio.to_thread(copy_incident, url, incidents[0], paused - len(incidents) + 1)
                async with open_stand("alertmend", url, Path(folder)) as stand:
                    times = [await _decide(stand, incident) for incident in incidents[1:]]
                    pages = [await _page_through(stand, path) for path in _LISTS]
            medians.append(median(times))
            read.append(pages)
            rows.append((
                database, f"{paused:,}", f"{1000 * median(times):.0f}",
                f"{1000 * percentile(times, 0.99):.0f}", f"{median(times) / medians[0]:.2f}",
            ))  # fmt: skip
            lists += [
                (database, f"{paused:,}", path.partition("?")[0], f"{1000 * first:.1f}", f"{1000 * late:.1f}")
                for path, (first, late) in zip(_LISTS, pages, strict=True)
            ]
        ratios.append(max(medians) / medians[0])
        list_ratios += [
            late / base for base, (_, late) in zip((p[0] for p in read[0]), read[-1], strict=True)
        ]
    return [
        Section(
            title="From the decision to the write",
            about=(
                "From sending `POST …/approve` to the patch at the API server, one decision after the other, "
                "with so many paused incidents in the database."
            ),
            head=("database", "paused incidents", "p50, ms", "most, ms", "p50 against the fewest"),
            rows=rows,
            aim=f"flat within {_MOST} ×",
            met=max(ratios) <= _MOST,
        ),
        Section(
            title="Lists",
            about="50 items: the first page, and one after twenty others, by the token of the page before.",
            head=("database", "incidents", "list", "first page, ms", "twenty-first page, ms"),
            rows=lists,
            aim="the time doesn't depend on how many there are",
            met=max(list_ratios) <= 2 * _MOST,
        ),
    ]


async def _pause(url: str, folder: Path) -> list[str]:
    async with open_stand("alertmend", url, folder) as stand:
        return [await stand.deliver(f"web-{number}") for number in range(_DECISIONS + 1)]


async def _decide(stand: Stand, incident: str) -> float:
    found = (await stand.request("GET", f"/v1/incidents/{incident}")).json()
    approval = (await stand.request("GET", f"/v1/approvals/{found['approval_ids'][-1]}")).json()
    began = time.monotonic()
    body = {"digest": approval["digest"], "reason": "fine"}
    await stand.request("POST", f"/v1/approvals/{approval['id']}/approve", json=body)
    patched = await stand.patched(approval["target"]["name"])
    await stand.hear("ended", incident)
    return patched - began


async def _page_through(stand: Stand, path: str) -> tuple[float, float]:
    firsts, lates = [], []
    for _ in range(5):
        token = ""
        for number in range(21):
            began = time.perf_counter()
            page = (await stand.request("GET", path + (f"&continue={token}" if token else ""))).json()
            taken = time.perf_counter() - began
            if number == 0:
                firsts.append(taken)
            if not (token := page["continue"] or ""):
                break
        lates.append(taken)
    return median(firsts), median(lates)
