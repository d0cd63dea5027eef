"""`make crash`: the crash matrix with many kills. With `--write` its table goes to docs/reliability.md."""

import argparse
import asyncio
import random
import time

from rich.console import Console

from tests.crash.matrix import Matrix
from tests.crash.results import Conditions, show_results, write_results
from tests.databases import run_postgres
from tests.forks import fork_context


def main() -> int:
    """Run the matrix and show what came of it; return 0 if nothing was found."""
    options = _parse()
    began = time.monotonic()
    console = Console()
    with run_postgres() as postgres:
        matrix = Matrix(fork_context(), postgres, random.Random(options.seed), options.kills, options.at_once)
        results = asyncio.run(matrix.run(lambda result: console.print(str(result), markup=False)))
        seconds = time.monotonic() - began
        conditions = Conditions(postgres.version(), options.seed, seconds, options.at_once)
    show_results(console, results, conditions)
    if options.write:
        write_results(results, conditions)
    return int(any(result.faults for result in results))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="at each boundary, on each database")
    parser.add_argument("--at-once", type=int, default=8, help="how many incidents at a time")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the random moments")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
