"""Scores as a table for the terminal, as JSON, and for docs/evaluation.md."""

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.eval.judge import Score
from bench.eval.totals import Totals

_PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"
_MARKED = re.compile(r"(<!-- evaluation: begin -->\n).*(<!-- evaluation: end -->)", re.DOTALL)
_HEAD = (
    "scenario", "family", "ran on", "must be", "came so", "diagnosis", "repair", "safety", "collateral",
    "verdict", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Conditions:
    """Under what the scenarios ran. `model` is empty for the runbooks alone."""

    model: str
    seconds: float
    at_once: int

    def __str__(self) -> str:
        cores, load = os.cpu_count(), os.getloadavg()[2]
        diagnostician = f"model {self.model}" if self.model else "runbooks alone, no model"
        return (
            f"{datetime.now(UTC):%Y-%m-%d}; {diagnostician}; mendgate {version('mendgate')},"
            f" Python {platform.python_version()}, LangGraph {version('langgraph')};"
            f" {platform.system()} {platform.machine()}, {cores} cores (load {load:.0f} over 15 minutes);"
            f" {self.at_once} at a time, {self.seconds / 60:.1f} minutes."
        )


def show(console: Console, scores: Sequence[Score], conditions: Conditions) -> None:
    """Print the table, what was wrong, and the totals."""
    table = Table(*_HEAD, caption=str(conditions))
    for score in scores:
        table.add_row(*_row(score), style="" if score.passed else "dim" if score.skipped else "red")
    console.print(table)
    for score in scores:
        for fault in score.faults:
            console.print(f"{score.name}: {fault}", style="red", markup=False)
    totals = Totals.of(scores)
    sums = Table(show_header=False, box=None, padding=(0, 2))
    for row in totals.rows():
        sums.add_row(*row)
    console.print(sums)
    for fault in totals.missed:
        console.print(f"The bar is missed: {fault}.", style="bold red", markup=False)


def spell_json(scores: Sequence[Score], conditions: Conditions) -> str:
    """Return everything as one JSON document."""
    totals = Totals.of(scores)
    listed = [{**asdict(score), "passed": score.passed} for score in scores]
    document = {
        "conditions": {**asdict(conditions), "told": str(conditions)},
        "totals": asdict(totals),
        "missed": totals.missed,
        "scenarios": listed,
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def write(scores: Sequence[Score], conditions: Conditions, page: Path = _PAGE) -> None:
    """Put the table into docs/evaluation.md, between its marks."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *map(_row, scores)]
    lines = [
        str(conditions),
        "",
        *(f"- {what}: {how_many}" for what, how_many in Totals.of(scores).rows()),
        "",
        *(f"| {' | '.join(row)} |" for row in rows),
        *("" for score in scores[:1] if _failed(scores)),
        *(f"- {score.name}: {_one_line(fault)}" for score in _failed(scores) for fault in score.faults),
    ]
    table = "\n".join(lines)
    text = page.read_text(encoding="utf-8")
    page.write_text(_MARKED.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text), encoding="utf-8")


def _failed(scores: Sequence[Score]) -> list[Score]:
    return [score for score in scores if score.faults]


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _row(score: Score) -> tuple[str, ...]:
    if score.skipped:
        return (score.name, score.family, f"skipped: {score.skipped}", score.expected, *("",) * 7)
    marks = (
        score.outcome, score.diagnosis, score.repair, score.safety, score.collateral, score.verdict,
    )  # fmt: skip
    shown = [{True: "yes", False: "NO", None: "-"}[mark] for mark in marks]
    return (
        score.name, score.family, score.venue or "", _expected(score), *shown, f"{score.seconds:.0f}",
    )  # fmt: skip


def _expected(score: Score) -> str:
    recorded_repair = score.venue == "recorded" and score.expected in {"repaired", "unresolved"}
    return "proposed" if recorded_repair else score.expected.replace("_", " ")
