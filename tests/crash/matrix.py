"""The crash matrix with many kills at random moments around each boundary."""

import asyncio
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Literal

from tests.crash.boundaries import BOUNDARIES, Boundary, Kill
from tests.crash.courses import Course, Stuck, run_course
from tests.crash.judge import find_faults
from tests.databases import PostgresUnderTest

Database = Literal["SQLite", "Postgres"]
_LONGEST_DELAY_SECONDS = 0.3


@dataclass
class Result:
    """What was seen at one boundary on one database."""

    boundary: Boundary
    database: Database
    courses: list[Course] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        found = "; ".join(self.faults) or "no faults"
        return f"{self.boundary.name}, {self.database}: {self.kills} kills, {found}"

    @property
    def kills(self) -> int:
        """Return how often a service was killed here."""
        return sum(course.kills for course in self.courses)


@dataclass
class Matrix:
    """Kills at every boundary on both databases, `at_once` incidents at a time.

    `dice` chooses the moments.
    """

    context: ForkServerContext
    postgres: PostgresUnderTest
    dice: random.Random
    kills: int
    at_once: int

    async def run(self, tell: Callable[[Result], None]) -> list[Result]:
        """Return what was seen; `tell` hears of each result when it is complete."""
        results = [
            Result(boundary, database) for boundary in BOUNDARIES for database in ("SQLite", "Postgres")
        ]
        places = asyncio.Semaphore(self.at_once)

        async def fill(result: Result) -> None:
            while result.kills < self.kills and not result.faults:
                async with places:
                    await self._add_course(result)
            tell(result)

        async with asyncio.TaskGroup() as group:
            for result in results:
                group.create_task(fill(result))
        return results

    async def _add_course(self, result: Result) -> None:
        kills = [Kill(result.boundary, self._draw_delay()) for _ in range(1 if result.boundary.once else 2)]
        fix: Literal["right", "wrong"] = "wrong" if len(result.courses) % 2 else "right"
        where = f"a {fix} fix, delays {[round(kill.delay_seconds, 3) for kill in kills]}"
        with self._place(result.database) as (url, folder):
            try:
                course = await run_course(kills, fix, database_url=url, folder=folder, context=self.context)
            except Stuck as stuck:
                result.faults.append(f"{where}: {stuck}")
                return
        result.courses.append(course)
        faults = find_faults(course) + ([] if course.kills else ["the service wasn't killed"])
        result.faults += [f"{where}: {fault}\n{course.log[-4000:]}" for fault in faults]

    def _draw_delay(self) -> float:
        """Return 0 as often as not: the boundary itself is the most delicate moment."""
        return self.dice.choice((0.0, self.dice.uniform(0.001, _LONGEST_DELAY_SECONDS)))

    @contextmanager
    def _place(self, database: Database) -> Iterator[tuple[str, Path]]:
        with tempfile.TemporaryDirectory(prefix="mendgate-crash-", ignore_cleanup_errors=True) as folder:
            if database == "SQLite":
                yield f"sqlite+aiosqlite:///{folder}/ledger.db", Path(folder)
                return
            with self.postgres.database() as url:
                yield url, Path(folder)
