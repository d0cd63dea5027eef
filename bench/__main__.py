"""`make bench`: measures mendgate, prints tables, and with `--write` puts them into docs/performance.md."""

import argparse
import asyncio
import os
import platform
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import decisions, growth, ingest, overhead, replicas, starts, storm
from bench.databases import Databases, open_databases
from bench.sections import Section

_PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_MARKED = re.compile(r"(<!-- bench: begin -->\n).*(<!-- bench: end -->)", re.DOTALL)
_MEASURES: dict[str, Callable[[Databases], Awaitable[Any]]] = {
    "overhead": overhead.measure,
    "ingest": ingest.measure,
    "storm": storm.measure,
    "decisions": decisions.measure,
    "growth": growth.measure,
    "starts": starts.measure,
    "replicas": replicas.measure,
}


def main() -> int:
    """Measure; return 0, whatever came of it: a missed aim is for the page to explain."""
    options = _parse()
    console, began, sections = Console(), time.monotonic(), list[Section]()
    load = os.getloadavg()[0]
    with open_databases() as databases:
        for name in options.only or _MEASURES:
            console.print(f"[dim]{time.monotonic() - began:4.0f} s: {name} ...[/dim]")
            found = asyncio.run(_measure(name, databases))
            for section in found:
                section.show(console)
            sections += found
        conditions = _describe(databases.postgres.version(), load, time.monotonic() - began)
    console.print(conditions)
    if options.write:
        parts = "\n\n".join([conditions, *(section.render() for section in sections)])
        _PAGE.write_text(_MARKED.sub(lambda marks: f"{marks[1]}{parts}\n{marks[2]}", _PAGE.read_text()))
    return 0


async def _measure(name: str, databases: Databases) -> list[Section]:
    found = await _MEASURES[name](databases)
    return found if isinstance(found, list) else [found]


def _describe(postgres: str, load: float, seconds: float) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("langgraph", "fastapi", "sqlalchemy"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores "
        f"(load {load:.1f} before it began); Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, Postgres {postgres}, {versions}; {seconds / 60:.0f} minutes."
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=_MEASURES, help="measure these alone")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    if options.only and options.write:
        parser.error("the page takes a whole run: leave out --only or --write")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
