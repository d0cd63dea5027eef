"""What a person may still say once an approval was given: take it back, or settle how its execution ended."""

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.decisions import AlreadyDecided, ApprovalGone
from checkpoints.approvals.store import (
    expire_approval,
    hold_approval,
    note_decision,
    read_approval,
    require_approval,
)
from checkpoints.audit import log
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_intake
from checkpoints.db.tables import ApprovalRow, IncidentRow
from checkpoints.queue import wakeups
from checkpoints.target_holder import find_holder
from graph.domain.incident import ACTIVE
from graph.domain.proposal import Approval, Decision

Resolution = Literal["applied", "not_applied"]
_STATUSES: dict[Resolution, Literal["applied", "failed"]] = {"applied": "applied", "not_applied": "failed"}
_OVER = frozenset({"expired", "withdrawn"})


class Settlements:
    """Records revocations and resolutions."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def revoke(self, approval_id: str, *, by: str, reason: str) -> tuple[Approval, bool]:
        """Take an approval back before its execution starts; return it, and whether that is new.

        The claim and this one exclude each other: whichever commits first wins. Raises a `DecisionRefused`.
        """
        late: ApprovalGone | None = None
        async with self._transaction() as session:
            row = await hold_approval(session, approval_id)
            if row.status == "revoked":
                return await read_approval(session, row), False
            if row.status == "approved" and row.execute_by and row.execute_by <= datetime.now(UTC):
                await expire_approval(session, row)
                # raised behind the transaction, so that the expiry itself is kept
                late = ApprovalGone(row.outcome, await read_approval(session, row))
            else:
                await _require_revocable(session, row)
                row.status, row.outcome = "revoked", f"{by} revoked it: {reason}"
                await note_decision(session, row, _say("revoke", by, reason))
                await log.append_about(session, "revoked", row, by, reason=reason)
                await wakeups.wake(session, [row.incident_id])
                return await read_approval(session, row), True
        raise late

    async def resolve(
        self, approval_id: str, *, finding: Resolution, by: str, reason: str
    ) -> tuple[Approval, bool]:
        """Settle an execution whose end is unknown; return the approval, and whether that is new.

        The incident goes on: what was applied is verified, what wasn't ends it as failed. Raises a
        `DecisionRefused` unless the outcome is unknown and no other incident is at work on the target.
        """
        async with self._transaction() as session:
            await hold_intake(session)
            unheld = await require_approval(session, approval_id)
            incident = await session.get_one(IncidentRow, unheld.incident_id)
            holder = await find_holder(session, incident.id, incident.target_key)
            row = await hold_approval(session, approval_id)
            await session.refresh(incident)
            approval = await read_approval(session, row)
            settled = next((past for past in approval.decisions if past.verdict == "resolve"), None)
            if settled and approval.status == _STATUSES[finding]:
                return approval, False
            if approval.status != "unknown":  # so is an end that only the database tells of
                raise AlreadyDecided(
                    f"the approval is {approval.status}: nothing about it is unknown", approval
                )
            if incident.status in ACTIVE:  # its run has yet to write down that it ends so
                raise AlreadyDecided(
                    "the run is still on its way to its end: try again in a moment", approval
                )
            if holder:  # two runs on one target would undo each other's changes
                raise AlreadyDecided(
                    f"incident {holder.id} about the same target is open: settle this once it has ended",
                    approval,
                )
            row.status, row.outcome = _STATUSES[finding], f"{by} settled it as {finding}: {reason}"
            await note_decision(session, row, _say("resolve", by, reason))
            await log.append_about(session, "resolved", row, by, finding=finding, reason=reason)
            incident.status, incident.reason, incident.advice = "applying", "", []
            incident.updated_at = datetime.now(UTC)
            await session.flush()
            await wakeups.wake(session, [row.incident_id])
            return await read_approval(session, row), True


def _say(verdict: Literal["revoke", "resolve"], by: str, reason: str) -> Decision:
    return Decision(by=by, verdict=verdict, reason=reason, at=datetime.now(UTC))


async def _require_revocable(session: AsyncSession, row: ApprovalRow) -> None:
    if row.status == "approved":
        return
    approval = await read_approval(session, row)
    if row.status in _OVER:
        raise ApprovalGone(f"the approval is {row.status}: {row.outcome}", approval)
    advice = ": reject it instead" if row.status == "pending" else ": there is nothing to take back any more"
    raise AlreadyDecided(f"the approval is {row.status}{advice}", approval)
