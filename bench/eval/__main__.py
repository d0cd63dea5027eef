"""`make eval`: play the scenarios through the real service, and score what comes of them."""

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import get_args

from rich.console import Console
from rich.table import Table

from bench.eval.campaign import Campaign, list_venues
from bench.eval.judge import Score
from bench.eval.reading import ScenarioUnusable, read_scenarios
from bench.eval.results import Conditions, show, spell_json, write
from bench.eval.scenario import Scenario, Venue
from bench.eval.totals import Totals

_UNUSABLE = 2
_PIPE_COLUMNS = 160


def main() -> int:
    """Return 0 if the bar is reached, 1 if it is missed, 2 if there is nothing to run."""
    options = _parse()
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    try:
        chosen = _choose(read_scenarios(), options)
    except ScenarioUnusable as error:
        console.print(str(error), style="red", markup=False)
        return _UNUSABLE
    if options.list or not chosen:
        console.print(_list(chosen) if chosen else "No scenario is called so.")
        return 0 if options.list else _UNUSABLE
    return _run(chosen, options, console)


def _run(chosen: Sequence[Scenario], options: argparse.Namespace, console: Console) -> int:
    logging.getLogger("mcp.os").setLevel(logging.CRITICAL)  # how its processes end on a busy machine
    began = time.monotonic()
    venues = {
        name: dependencies
        for name, dependencies in list_venues(os.environ).items()
        if options.on in {None, name}
    }
    campaign = Campaign(venues, options.at_once, options.model)
    progress = Console(stderr=True)
    scores = asyncio.run(campaign.run(chosen, lambda score: progress.print(_tell(score), markup=False)))
    conditions = Conditions(options.model or "", time.monotonic() - began, options.at_once)
    if options.output == "json":
        print(spell_json(scores, conditions))  # noqa: T201 -- for a program
    else:
        show(console, scores, conditions)
    if options.write:
        write(scores, conditions)
    failed = [score for score in scores if not score.skipped and not score.passed]
    return int(bool(Totals.of(scores).missed or (options.field and failed)))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make eval", description=__doc__)
    parser.add_argument("--only", metavar="GLOB", default="*", help="scenarios by name, such as 'image-*'")
    parser.add_argument("--family", help="scenarios of one family")
    parser.add_argument("--field", action="store_true", help="situations as people met them: all must pass")
    parser.add_argument("--on", choices=get_args(Venue), help="only there; what can't run there is skipped")
    parser.add_argument("--list", action="store_true", help="list the scenarios, and run none")
    parser.add_argument("--model", help="a language model diagnoses (OPENAI_BASE_URL, OPENAI_API_KEY)")
    parser.add_argument("--at-once", type=int, default=4, help="how many run at a time")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    parser.add_argument("--write", action="store_true", help="put the table into docs/evaluation.md")
    return parser.parse_args()


def _choose(scenarios: Sequence[Scenario], options: argparse.Namespace) -> list[Scenario]:
    return [
        one
        for one in scenarios
        if fnmatch(one.name, options.only)
        if options.family in {None, one.family}
        if one.field or not options.field
    ]


def _list(scenarios: Sequence[Scenario]) -> Table:
    table = Table("scenario", "family", "runs on", "must be", "what it is")
    for one in scenarios:
        table.add_row(one.name, one.family, ", ".join(one.venues), one.expect.outcome, one.title)
    return table


def _tell(score: Score) -> str:
    how = f"skipped, {score.skipped}" if score.skipped else "ok" if score.passed else "; ".join(score.faults)
    return f"{score.name}: {how}"


if __name__ == "__main__":
    raise SystemExit(main())
