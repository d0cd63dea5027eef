"""A service killed at any boundary goes on where it stood: one write at most, a true verdict and report.

This is a sample: each boundary on one of the databases. `make crash` kills at every one on both.
"""

from collections.abc import Iterator
from itertools import cycle
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.crash.boundaries import BOUNDARIES, Boundary, Kill
from tests.crash.courses import Fix, run_course
from tests.crash.judge import find_faults
from tests.forks import fork_context
from tools.kubernetes.patch import APPROVAL_ANNOTATION
from tools.sandbox import SandboxCluster

FIXES: tuple[Fix, ...] = ("right", "wrong")
_TURNS: tuple[tuple[Fix, str], ...] = (
    ("right", "sqlite"), ("wrong", "postgres"), ("right", "postgres"), ("wrong", "sqlite"),
)  # fmt: skip


def sample() -> Iterator[tuple[Boundary, Fix, str]]:
    """Yield each boundary with a fix and a database: in turn, but both where a course has only one kill."""
    turns = cycle(_TURNS)
    for boundary in BOUNDARIES:
        yield from ((boundary, *turn) for turn in (_TURNS[:2] if boundary.once else (next(turns),)))


@pytest.fixture(scope="session")
def context() -> ForkServerContext:
    return fork_context()


@pytest.mark.parametrize(
    ("boundary", "fix", "database_url"),
    [
        pytest.param(boundary, fix, database, id=f"{boundary.name.replace(' ', '-')}-{fix}-{database}")
        for boundary, fix, database in sample()
    ],
    indirect=["database_url"],
)
async def test_a_service_killed_there_finishes_its_incident(
    boundary: Boundary, fix: Fix, database_url: str, tmp_path: Path, context: ForkServerContext
) -> None:
    """Killed twice there: in one incident's course where it gets there again, else in two."""
    kills = [Kill(boundary)] * (1 if boundary.once else 2)

    course = await run_course(kills, fix, database_url=database_url, folder=tmp_path, context=context)

    assert course.kills == len(kills)
    assert find_faults(course) == [], course.log[-4000:]


async def test_a_service_killed_at_one_boundary_after_the_other_finishes_its_incident(
    database_url: str, tmp_path: Path, context: ForkServerContext
) -> None:
    kills = [Kill(boundary) for boundary in BOUNDARIES if not boundary.once]

    course = await run_course(kills, "right", database_url=database_url, folder=tmp_path, context=context)

    assert course.kills == len(kills)
    assert find_faults(course) == [], course.log[-4000:]


@pytest.mark.parametrize(
    "name", ["after the intent", "the patch arrived, not taken", "the patch taken, not answered"]
)
async def test_what_somebody_changed_while_the_service_was_dead_is_said_to_be_unknown(
    name: str, database_url: str, tmp_path: Path, context: ForkServerContext
) -> None:
    def roll_back_by_hand(cluster: SandboxCluster) -> None:
        live = cluster.find("Deployment", "nginx-deployment")
        assert live is not None
        live["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.24"
        live["metadata"].setdefault("annotations", {})[APPROVAL_ANNOTATION] = "by-hand"
        cluster.apply(live)

    (boundary,) = (one for one in BOUNDARIES if one.name == name)
    course = await run_course(
        [Kill(boundary)], "right",
        database_url=database_url, folder=tmp_path, context=context, meddle=roll_back_by_hand,
    )  # fmt: skip

    assert course.kills == 1
    assert find_faults(course) == [], course.log[-4000:]
    assert [approval["status"] for approval in course.approvals] == ["unknown"]
    assert course.incident["status"] == "handed_over"
    assert len(course.writes) == int("taken, not answered" in name)
