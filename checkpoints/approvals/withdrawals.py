"""Approvals that nobody needs any more: every alert of their incident has resolved, and the symptom is gone.

Whether the symptom is gone, the cluster says; this module decides the rest in one transaction, so that a
withdrawal, a decision, a claim and an alert that fires again exclude each other.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.store import hold_approval, read_approvals, withdraw_approval
from checkpoints.attached_alerts import all_resolved, have_all_resolved
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_incident
from checkpoints.db.tables import ApprovalRow, EntryRow, IncidentRow
from checkpoints.queue import wakeups
from checkpoints.timeline import entries
from graph.domain.incident import ACTIVE
from graph.domain.proposal import Approval

_STANDING = ("pending", "approved")
_AGAIN = timedelta(minutes=10)


class Withdrawals:
    """Withdraws approvals, or writes down why they stand."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def candidates(self) -> Sequence[Approval]:
        """Return what still stands although every alert of its incident has resolved, oldest first."""
        async with self._transaction.reading() as session:
            rows = await session.scalars(
                select(ApprovalRow)
                .join(IncidentRow, ApprovalRow.incident_id == IncidentRow.id)
                .where(
                    ApprovalRow.status.in_(_STANDING),
                    IncidentRow.status.in_(ACTIVE),
                    all_resolved(IncidentRow.id),
                )
                .order_by(ApprovalRow.created_at)
            )
            return await read_approvals(session, rows.all())

    async def withdraw(self, approval_id: str, reason: str) -> bool:
        """Withdraw an approval that still stands while no alert fires; say whether that was so."""
        async with self._transaction() as session:
            row = await hold_approval(session, approval_id)
            if row.status not in _STANDING or not await have_all_resolved(session, row.incident_id):
                return False
            await withdraw_approval(session, row, reason)
            await wakeups.wake(session, [row.incident_id])
            return True

    async def explain(self, approval: Approval, reason: str) -> None:
        """Write on the timeline why an approval stands though its alerts have resolved, now and then."""
        incident_id = approval.proposal.incident_id
        async with self._transaction() as session:
            await hold_incident(session, incident_id)
            last = await _last_explanation(session, incident_id)
            if last is None or last.at <= datetime.now(UTC) - _AGAIN:
                facts = {"approval_id": approval.id, "reason": reason}
                await entries.append(session, incident_id, "not_withdrawn", facts)


async def _last_explanation(session: AsyncSession, incident_id: str) -> EntryRow | None:
    query = (
        select(EntryRow)
        .where(EntryRow.incident_id == incident_id, EntryRow.kind == "not_withdrawn")
        .order_by(EntryRow.seq.desc())
        .limit(1)
    )
    found: EntryRow | None = await session.scalar(query)
    return found
