"""How many there are of what: the numbers that every service on one database finds alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.write_stops import sealed_switch
from checkpoints.audit.rows import consult
from checkpoints.db.engine import Transaction
from checkpoints.db.tables import ApprovalRow, AuditRow, IncidentRow
from checkpoints.migrate import require_current
from graph.domain.incident import IncidentStatus

_STATUSES: tuple[IncidentStatus, ...] = get_args(IncidentStatus)


@dataclass(frozen=True)
class Census:
    """The ledger in numbers. `oldest_pending_seconds` is 0 where nothing waits.

    `kill_switch` says that it is on by the sealed audit.
    """

    incidents: Mapping[IncidentStatus, int]
    pending_approvals: int
    oldest_pending_seconds: float
    unknown_executions: int
    kill_switch: bool
    audit_rows: int


class Counts:
    """Counts, and tells whether counting and everything else is possible."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def census(self) -> Census:
        """Count everything, each by an index, the stops as they were sealed. Raises `DatabaseUnavailable`."""
        async with self._transaction() as session:  # one that only reads has no witness
            switch = sealed_switch(await consult(session))
        async with self._transaction.reading() as session:
            found = await session.execute(
                select(IncidentRow.status, func.count()).group_by(IncidentRow.status)
            )
            numbers = {str(status): int(number) for status, number in found}
            pending, oldest = await _pending(session)
            unknown = select(func.count()).select_from(ApprovalRow).where(ApprovalRow.status == "unknown")
            return Census(
                incidents={status: numbers.get(status, 0) for status in _STATUSES},
                pending_approvals=pending,
                oldest_pending_seconds=oldest,
                unknown_executions=await session.scalar(unknown) or 0,
                kill_switch=switch.engaged,
                audit_rows=await session.scalar(select(func.max(AuditRow.seq))) or 0,
            )

    async def require_ready(self) -> None:
        """Raise `DatabaseUnavailable`, or `SchemaMismatch` where the tables are another version's."""
        async with self._transaction() as session:
            await (await session.connection()).run_sync(require_current)


async def _pending(session: AsyncSession) -> tuple[int, float]:
    query = select(func.count(), func.min(ApprovalRow.created_at)).where(ApprovalRow.status == "pending")
    number, oldest = (await session.execute(query)).one()
    return number, (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
