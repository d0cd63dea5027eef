"""What mendgate costs beyond a service of bare LangGraph that leaves the same rows behind.

Beside it, without an aim: the same incidents through LangGraph's own dev server.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import product
from statistics import median

from bench.databases import Databases
from bench.dev.server import open_dev_server
from bench.driver import Kind, Spent, open_stand
from bench.sections import Chart, Section

_INCIDENTS = {1: 6, 8: 8, 64: 64}
_ROUNDS = {1: 3, 8: 3, 64: 2}
_DEV_INCIDENTS = {1: 3, 8: 8}
_MOST = 1.5
_KINDS: tuple[Kind, ...] = ("reference", "mendgate")
_Spent = dict[tuple[Kind, int], list[Spent]]


async def measure(databases: Databases) -> list[Section]:
    """Run full incidents through both, in turns, and compare; then through the dev server."""
    spent = {database: await _spend(databases, database) for database in databases.names}
    return [_compare(spent), await _measure_dev(spent["SQLite"])]


async def _spend(databases: Databases, database: str) -> _Spent:
    spent: _Spent = {key: [] for key in product(_KINDS, _INCIDENTS)}
    async with AsyncExitStack() as stack:
        stands = {
            kind: await stack.enter_async_context(
                open_stand(kind, stack.enter_context(databases.fresh(database)))
            )
            for kind in _KINDS
        }
        for stand in stands.values():
            await stand.run_incidents([f"warm-{number}" for number in range(4)], 2)
        for at_once, count in _INCIDENTS.items():
            for turn in range(_ROUNDS[at_once]):
                names = [f"web-{at_once}-{turn}-{number}" for number in range(count)]
                for kind, stand in stands.items():
                    spent[kind, at_once].append(await stand.run_incidents(names, at_once))
    return spent


def _compare(found: Mapping[str, _Spent]) -> Section:
    rows, ratios = [], []
    for database, spent in found.items():
        for at_once in _INCIDENTS:
            bare, ours = spent["reference", at_once], spent["mendgate", at_once]
            ratio = _cpu(ours) / _cpu(bare)
            ratios.append(ratio)
            rows.append((
                database, str(at_once), f"{_cpu(bare):.0f}", f"{_cpu(ours):.0f}", f"{ratio:.2f}",
                f"{_wall(bare):.0f}", f"{_wall(ours):.0f}",
            ))  # fmt: skip
    return Section(
        title="Overhead of a full incident",
        about=(
            "From the alert to the report, with a pause, an approval, a patch and its verification, where "
            "model and tools answer at once. The reference is `bench/reference.py`: the same graph, saver, "
            "requests and rows, and nothing else. Both are measured in turns; CPU is that of the service's "
            f"process; medians of {_ROUNDS[1]} rounds, of {_ROUNDS[64]} with 64 at a time. mendgate's wall "
            "time has waits in it that the reference has not: a verification looks at least twice."
        ),
        head=(
            "database", "at a time", "reference, CPU ms", "mendgate, CPU ms", "ratio",
            "reference, wall ms", "mendgate, wall ms",
        ),
        rows=rows,
        aim=f"at most {_MOST} × the reference's CPU",
        met=max(ratios) <= _MOST,
        chart=Chart("CPU of mendgate to that of the reference", "ratio", column=4),
    )  # fmt: skip


async def _measure_dev(ours: _Spent) -> Section:
    async with open_dev_server() as server:
        await server.run_incidents([f"warm-{number}" for number in range(4)], 2)
        spent = {
            at_once: await server.run_incidents(
                [f"web-{at_once}-{number}" for number in range(count)], at_once
            )
            for at_once, count in _DEV_INCIDENTS.items()
        }
    return Section(
        title="The same incidents through `langgraph dev`",
        about=(
            "LangGraph's own dev server with mendgate's graph and the same instant model and tools, driven "
            "over its HTTP API: a thread, a run to the interrupt, a look at the state, a resume to the "
            "report. Answers decide there as in dev mode (docs/studio.md), by the same gate. The ledger is a "
            "SQLite file as mendgate's is; threads and checkpoints are kept in the server's memory, and "
            "nobody's role is asked. The wall time has the waits of its queue in it."
        ),
        head=(
            "at a time", "`langgraph dev`, CPU ms", "mendgate, CPU ms", "`langgraph dev`, wall ms",
            "mendgate, wall ms",
        ),
        rows=[
            (
                str(at_once), f"{one.cpu_ms:.0f}", f"{_cpu(ours['mendgate', at_once]):.0f}",
                f"{one.wall_ms:.0f}", f"{_wall(ours['mendgate', at_once]):.0f}",
            )
            for at_once, one in spent.items()
        ],
    )  # fmt: skip


def _cpu(spent: Sequence[Spent]) -> float:
    return median(one.cpu_ms for one in spent)


def _wall(spent: Sequence[Spent]) -> float:
    return median(one.wall_ms for one in spent)
