"""The matrix as a table: for the terminal, and for docs/reliability.md."""

import os
import platform
import re
import sqlite3
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.crash.matrix import Result

_PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_MARKED = re.compile(r"(<!-- crash: begin -->\n).*(<!-- crash: end -->)", re.DOTALL)
_HEAD = (
    "killed", "kills (SQLite + Postgres)", "incidents", "writes", "approvals", "most writes of one", "ends",
    "seconds (median / most)", "faults",
)  # fmt: skip


@dataclass(frozen=True)
class Conditions:
    """Under what the matrix ran."""

    postgres: str
    seed: int
    seconds: float
    at_once: int

    def __str__(self) -> str:
        cores, load = os.cpu_count(), os.getloadavg()[2]
        return (
            f"{datetime.now(UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, {cores} cores"
            f" (load {load:.0f} over 15 minutes); Python {platform.python_version()}, SQLite"
            f" {sqlite3.sqlite_version}, Postgres {self.postgres}, LangGraph {version('langgraph')};"
            f" seed {self.seed}, {self.at_once} incidents at a time, {self.seconds / 60:.0f} minutes."
        )


def show_results(console: Console, results: Sequence[Result], conditions: Conditions) -> None:
    """Print the table, and below it every fault."""
    table = Table(*_HEAD, title="Killed, and gone on", caption=str(conditions))
    for row in _rows(results):
        table.add_row(*row)
    console.print(table)
    for result in results:
        for fault in result.faults:
            console.print(f"{result.boundary.name}, {result.database}: {fault}", markup=False, style="red")


def write_results(results: Sequence[Result], conditions: Conditions) -> None:
    """Put the table into docs/reliability.md, between its marks."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *_rows(results)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    text = _MARKED.sub(lambda found: f"{found[1]}{conditions}\n\n{table}\n{found[2]}", _PAGE.read_text())
    _PAGE.write_text(text)


def _rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    by_boundary: dict[str, list[Result]] = {}
    for result in results:
        by_boundary.setdefault(result.boundary.name, []).append(result)
    rows = [(name, *_figures(some)) for name, some in by_boundary.items()]
    return [*rows, ("all", *_figures(results))]


def _figures(results: Sequence[Result]) -> tuple[str, ...]:
    courses = [course for result in results for course in result.courses]
    seconds = [course.seconds for course in courses] or [0.0]
    most = max((count for course in courses for count in Counter(course.writes).values()), default=0)
    kills = Counter[str]()
    for result in results:
        kills[result.database] += result.kills
    ends = Counter(f"{course.incident['status']} ({course.incident['verdict']})" for course in courses)
    return (
        " + ".join(map(str, kills.values())),
        str(len(courses)),
        str(sum(len(course.writes) for course in courses)),
        str(sum(len(course.approvals) for course in courses)),
        str(most),
        ", ".join(f"{count} {end}" for end, count in sorted(ends.items())),
        f"{statistics.median(seconds):.0f} / {max(seconds):.0f}",
        str(sum(len(result.faults) for result in results)),
    )
