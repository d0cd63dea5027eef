"""The ledger: one database, opened once, with everything that reads and writes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from checkpoints.approvals import Approvals
from checkpoints.database import open_database
from checkpoints.decisions import Decisions
from checkpoints.incidents import Incidents
from checkpoints.intake import Intake
from checkpoints.stops import Stops


@dataclass(frozen=True)
class Expiries:
    """How long a proposal may wait for a decision, and an approval for its execution."""

    decide_within: timedelta = timedelta(hours=4)
    execute_within: timedelta = timedelta(minutes=30)


@dataclass(frozen=True)
class Ledger:
    """What the graph, the executor and the service share."""

    intake: Intake
    incidents: Incidents
    approvals: Approvals
    decisions: Decisions
    stops: Stops


@asynccontextmanager
async def open_ledger(url: str, expiries: Expiries = Expiries()) -> AsyncIterator[Ledger]:
    """Open the ledger in the database at `url`, its tables brought up to date."""
    async with open_database(url) as transaction:
        yield Ledger(
            intake=Intake(transaction),
            incidents=Incidents(transaction),
            approvals=Approvals(transaction, decide_within=expiries.decide_within),
            decisions=Decisions(transaction, execute_within=expiries.execute_within),
            stops=Stops(transaction),
        )
