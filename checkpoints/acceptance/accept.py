"""Taking the audit as it is, after its chain or the stops didn't fit: what an admin says, on the record.

Nothing that was approved before may be written after it: a revocation, or the outcome of a write, may be
among the rows that are gone. So what waits is taken out of use, to be proposed afresh, and how the execution
of what was claimed ended is for a person to find out. The stops are taken from the seals and from the tables
both: what either of them stops stays stopped.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.write_stops import find_doubt, set_switch, unite_freezes, unite_switch
from checkpoints.audit import log
from checkpoints.audit.hash_chain import Head
from checkpoints.audit.rows import consult, witness_of
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_incidents, hold_stops
from checkpoints.db.tables import ApprovalRow
from checkpoints.queue import wakeups
from tools.errors import MendgateError

_WAITING = ("pending", "approved")
_LIVE = (*_WAITING, "executing")


class NothingToAccept(MendgateError):
    """The audit and the stops are what was sealed: nothing about them needs to be accepted."""


class Acceptance:
    """Records that an admin has accepted the audit as it is."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def accept(self, *, by: str, reason: str) -> str:
        """Take the audit and the stops as they are; return what was wrong.

        Raises `NothingToAccept`.
        """
        async with self._transaction() as session:
            await hold_incidents(session, await _incidents(session))
            await hold_stops(session, "set")
            doubt = await find_doubt(session)
            if doubt is None:
                raise NothingToAccept("the audit and the stops are as they were sealed: nothing to accept")
            head = await _seal(session, by, reason, doubt)
            rows = (await session.scalars(select(ApprovalRow).where(ApprovalRow.status.in_(_LIVE)))).all()
            for row in rows:
                await _take_out_of_use(session, row, by)
            await wakeups.wake(session, sorted({row.incident_id for row in rows}))
        async with self._transaction() as session:
            witness_of(session).trust(head)
            await consult(session)  # it is remembered from here on
        return doubt


async def _seal(session: AsyncSession, by: str, reason: str, doubt: str) -> Head:
    """Append the row that accepts, with all that still counts, and behind it the kill switch."""
    spent = (await consult(session)).spent(datetime.now(UTC))
    freezes = await unite_freezes(session)
    switch = await unite_switch(session)
    head = await log.append(
        session, "accepted", actor=by, reason=reason, doubt=doubt, freezes=freezes, spent=spent
    )
    if switch.engaged:  # behind that row: what is older than it may be deleted without being missed
        await set_switch(session, engaged=True, by=by, reason=switch.reason or reason)
    return head


async def _incidents(session: AsyncSession) -> Sequence[str]:
    rows = await session.scalars(select(ApprovalRow.incident_id).where(ApprovalRow.status.in_(_LIVE)))
    return sorted(set(rows))


async def _take_out_of_use(session: AsyncSession, row: ApprovalRow, by: str) -> None:
    why = f"{by} accepted the audit as it is: what was approved before is void"
    if row.status in _WAITING:
        row.status, row.superseded_by, row.outcome = "superseded", None, why
        await log.append_about(session, "superseded", row, reason=why)
        return
    row.status, row.outcome = "unknown", why
    await log.append_about(session, "outcome", row, outcome="unknown", detail=why)
