"""How soon it is there, and what it needs of memory."""

import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import median

from bench.databases import Databases
from bench.driver import open_stand
from bench.sections import Section

_ROUNDS = 3
_MENDGATE = Path(sys.executable).parent / "mendgate"
_LOAD = 16


async def measure(databases: Databases) -> Section:
    """Time the command line and the service's start, and weigh the service idle and at work."""
    helps = [await _time("--help") for _ in range(_ROUNDS)]
    listings = [await _time("incidents", "--help") for _ in range(_ROUNDS)]
    ready, idle, loaded = [], [], []
    for _ in range(_ROUNDS):
        with databases.fresh("SQLite") as url:
            began = time.perf_counter()
            async with open_stand("mendgate", url) as stand:
                await stand.request("GET", "/healthz")
                ready.append(time.perf_counter() - began)
                idle.append((await stand.usage())["rss_mb"])
                await stand.run_incidents([f"web-{number}" for number in range(_LOAD)], 16)
                loaded.append((await stand.usage())["rss_mb"])
    return Section(
        title="Start and size",
        about=f"Medians of {_ROUNDS}. The service runs on SQLite, without MCP servers or a model's client.",
        head=("what", "measured"),
        rows=[
            ("`mendgate --help`", f"{median(helps):.2f} s"),
            ("the same of `mendgate incidents`", f"{median(listings):.2f} s"),
            ("from the start of the service to its first answer", f"{median(ready):.2f} s"),
            ("memory, idle", f"{median(idle):.0f} MB"),
            (f"memory, most, after {_LOAD} incidents, 16 at a time", f"{median(loaded):.0f} MB"),
        ],
    )


async def _time(*arguments: str) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        _MENDGATE, *arguments, stdout=asyncio.subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"}
    )
    assert await process.wait() == 0
    return time.perf_counter() - began
