"""The ledger: one database, opened once, with everything that reads and writes it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from checkpoints.acceptance.accept import Acceptance
from checkpoints.alerts.correlation import IncidentRateLimit
from checkpoints.alerts.intake import Intake
from checkpoints.alerts.known_alerts import KnownAlerts
from checkpoints.alerts.recurrence import Recurrence
from checkpoints.approvals.decisions import Decisions
from checkpoints.approvals.freezes import Freezes
from checkpoints.approvals.reminders import Reminders
from checkpoints.approvals.revocations import Settlements
from checkpoints.approvals.store import Approvals
from checkpoints.approvals.withdrawals import Withdrawals
from checkpoints.approvals.write_stops import Stops
from checkpoints.audit import log
from checkpoints.audit.key_files import Keeper
from checkpoints.audit.log import Audit
from checkpoints.db.engine import Transaction, is_postgres, make_engine, parse_url
from checkpoints.db.errors import failures_named
from checkpoints.incidents.retention import Retention
from checkpoints.incidents.store import Incidents
from checkpoints.ledger_counts import Counts
from checkpoints.migrate import migrate, require_current
from checkpoints.timeline import after_commit, outbox_enqueue
from checkpoints.timeline.after_commit import Milestone, Tell
from checkpoints.timeline.outbox import Outbox
from graph.domain.notifications import Subscriber
from graph.policy import BUILT_IN, Policy

_USUAL = IncidentRateLimit()


def _tell_nobody(_: Milestone) -> None:
    """Keep to oneself what happens."""


@dataclass(frozen=True)
class Ledger:
    """What the graph, the executor and the service share."""

    intake: Intake
    known_alerts: KnownAlerts
    incidents: Incidents
    approvals: Approvals
    decisions: Decisions
    settlements: Settlements
    stops: Stops
    freezes: Freezes
    withdrawals: Withdrawals
    reminders: Reminders
    recurrence: Recurrence
    audit: Audit
    acceptance: Acceptance
    retention: Retention
    counts: Counts
    outbox: Outbox
    policy: Policy


@asynccontextmanager
async def open_ledger(  # noqa: PLR0913 -- all that a ledger is made of
    url: str,
    audit_key: Path | None = None,
    policy: Policy = BUILT_IN,
    pace: IncidentRateLimit = _USUAL,
    *,
    tell: Tell = _tell_nobody,
    subscribers: Sequence[Subscriber] = (),
) -> AsyncIterator[Ledger]:
    """Open the ledger in the database at `url`.

    SQLite's tables are brought up to date. Postgres' must be, by `mendgate migrate`: else it raises
    `SchemaMismatch`. `audit_key` is the file of the audit's key (None: its rows are chained with a key that
    everybody knows); raises `AuditUnusable` if it isn't the one that belongs to the database. `policy` is
    what claims and decisions obey. `tell` hears of what was committed; it must neither wait nor raise.
    `subscribers` are told, through the outbox, of what is written on timelines.
    """
    keeper = Keeper(audit_key)
    carried = log.keeping(keeper) | outbox_enqueue.telling(subscribers)
    async with _open_database(url, carried, tell) as transaction:
        await Audit(transaction, keeper).open()
        async with aclosing(Intake(transaction, pace)) as intake:
            yield Ledger(
                intake=intake,
                known_alerts=KnownAlerts(transaction),
                incidents=Incidents(transaction, pace),
                approvals=Approvals(transaction, policy),
                decisions=Decisions(transaction, policy),
                settlements=Settlements(transaction),
                stops=Stops(transaction, policy),
                freezes=Freezes(transaction, policy),
                withdrawals=Withdrawals(transaction),
                reminders=Reminders(transaction),
                recurrence=Recurrence(transaction, pace),
                audit=Audit(transaction, keeper),
                acceptance=Acceptance(transaction),
                retention=Retention(transaction),
                counts=Counts(transaction),
                outbox=Outbox(transaction, subscribers),
                policy=policy,
            )


class _Transactions:
    """Transactions on one engine, whose sessions carry what is given, and those that only read on another."""

    def __init__(self, engine: AsyncEngine, reader: AsyncEngine, carried: dict[str, Any], tell: Tell) -> None:
        self._begin = async_sessionmaker(engine, expire_on_commit=False, info=carried).begin
        self._read = async_sessionmaker(reader, expire_on_commit=False, info=carried).begin
        self._tell = tell

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[AsyncSession]:
        with failures_named():
            async with self._begin() as session:
                yield session
        await log.remember(session)
        for milestone in after_commit.take(session):
            self._tell(milestone)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        with failures_named():
            async with self._read() as session:
                yield session


@asynccontextmanager
async def _open_database(url: str, carried: dict[str, Any], tell: Tell) -> AsyncIterator[Transaction]:
    """Open the database at `url` and yield what begins its transactions."""
    address = parse_url(url)
    engine = make_engine(address)
    reader = engine if is_postgres(address) else make_engine(address, reading=True)
    try:
        with failures_named():
            async with engine.begin() as connection:
                await connection.run_sync(require_current if is_postgres(address) else migrate)
        yield _Transactions(engine, reader, carried, tell)
    finally:
        await reader.dispose()
        await engine.dispose()
