"""What alertmend costs beyond a service of bare LangGraph that leaves the same rows behind."""

from collections.abc import Sequence
from itertools import product
from statistics import median

from bench.databases import Databases
from bench.driver import Kind, Spent, open_stand
from bench.sections import Chart, Section

_INCIDENTS = {1: 6, 8: 24, 64: 64}
_ROUNDS = 3
_MOST = 1.5
_KINDS: tuple[Kind, ...] = ("reference", "alertmend")


async def measure(databases: Databases) -> Section:
    """Run full incidents through both, in turns, and compare."""
    rows, ratios, labels = [], [], []
    for database in databases.names:
        spent: dict[tuple[Kind, int], list[Spent]] = {key: [] for key in product(_KINDS, _INCIDENTS)}
        for _ in range(_ROUNDS):
            for kind in _KINDS:
                with databases.fresh(database) as url:
                    async with open_stand(kind, url) as stand:
                        await stand.run_incidents([f"warm-{number}" for number in range(4)], 2)
                        for at_once, count in _INCIDENTS.items():
                            names = [f"web-{at_once}-{number}" for number in range(count)]
                            spent[kind, at_once].append(await stand.run_incidents(names, at_once))
        for at_once in _INCIDENTS:
            bare, ours = spent["reference", at_once], spent["alertmend", at_once]
            ratio = _cpu(ours) / _cpu(bare)
            ratios.append(ratio)
            labels.append(f"{database} {at_once}")
            rows.append((
                database, str(at_once), f"{_cpu(bare):.0f}", f"{_cpu(ours):.0f}", f"{ratio:.2f}",
                f"{_wall(bare):.0f}", f"{_wall(ours):.0f}",
            ))  # fmt: skip
    return Section(
        title="Overhead of a full incident",
        about=(
            "From the alert to the report, with a pause, an approval, a patch and its verification, where "
            "model and tools answer at once. The reference is `bench/reference.py`: the same graph, saver, "
            "requests and rows, and nothing else. CPU is that of the service's process; medians of "
            f"{_ROUNDS} rounds. alertmend's wall time has waits in it that the reference has not: a "
            "verification looks at least twice."
        ),
        head=(
            "database", "at a time", "reference, CPU ms", "alertmend, CPU ms", "ratio",
            "reference, wall ms", "alertmend, wall ms",
        ),
        rows=rows,
        aim=f"at most {_MOST} × the reference's CPU",
        met=max(ratios) <= _MOST,
        charts=(Chart("CPU, alertmend / reference", "ratio", tuple(labels), (tuple(ratios),)),),
    )  # fmt: skip


def _cpu(spent: Sequence[Spent]) -> float:
    return median(one.cpu_ms for one in spent)


def _wall(spent: Sequence[Spent]) -> float:
    return median(one.wall_ms for one in spent)
