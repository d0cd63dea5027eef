"""The claim: one conditional UPDATE decides who may write.

Everything that must hold at the moment of writing stands in its WHERE: approved, the same digest, not
expired, no stop in force, the policy's budget not spent, and the run still holds its incident.
"""

from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints import audit, timeline
from checkpoints.budgets import find_spent_budget, has_budget
from checkpoints.locks import hold_budgets, hold_stops
from checkpoints.stops import find_stop, stop_in_force
from checkpoints.tables import ApprovalRow, IncidentRow, IntentRow
from graph.policy import Policy
from graph.proposal import Proposal
from tools.executor import ClaimRefused, Grant, Outcome, WritesStopped


async def claim_approval(
    session: AsyncSession, row: ApprovalRow, digest: str, epoch: int, policy: Policy
) -> Grant | Outcome:
    """Claim an approval, or a dead run's claim, in the caller's transaction, which holds the incident.

    One that was given under another policy is superseded instead. Raises `ClaimRefused`.
    """
    await hold_stops(session, "obey")
    await hold_budgets(session)
    proposal = Proposal.model_validate(row.proposal)
    if (proposal.id, proposal.incident_id, proposal.digest) != (row.id, row.incident_id, row.digest):
        raise ClaimRefused(f"the stored proposal of approval {row.id} doesn't match its digest any more")
    sent_generation = await _find_sent(session, row)
    if (
        proposal.policy_version != policy.version
        and row.digest == digest
        and _is_unsent(row, epoch, sent_generation)
    ):
        return await _supersede(session, row, proposal, policy)
    await _claim(session, row, digest, epoch, policy)
    if not await audit.holds_approval(session, row):
        raise ClaimRefused(f"the audit doesn't know of approval {row.id} as it stands: somebody altered it")
    return Grant(
        approval_id=row.id,
        arguments=proposal.arguments,
        uid=proposal.target_uid,
        diff=proposal.diff,
        server=proposal.server,
        sent_generation=sent_generation,
    )


async def _claim(session: AsyncSession, row: ApprovalRow, digest: str, epoch: int, policy: Policy) -> None:
    now = datetime.now(UTC)
    fresh = (
        (ApprovalRow.status == "approved")
        & (ApprovalRow.execute_by > now)
        & ~stop_in_force(now, policy)
        & has_budget(now, policy)
    )
    dead = (ApprovalRow.status == "executing") & (ApprovalRow.claim_epoch < epoch)
    holds_incident = (
        select(1).where(IncidentRow.id == row.incident_id, IncidentRow.run_epoch == epoch).exists()
    )
    claimed = await session.execute(
        update(ApprovalRow)
        .where(ApprovalRow.id == row.id, ApprovalRow.digest == digest, holds_incident, fresh | dead)
        .values(status="executing", claim_epoch=epoch, claimed_at=func.coalesce(ApprovalRow.claimed_at, now))
        .returning(ApprovalRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if claimed.first() is None:
        raise await _refusal(session, row, digest, now, policy)
    await timeline.append(session, row.incident_id, "applying", {"approval_id": row.id})
    await audit.append_about(session, "claimed", row, epoch=epoch)


async def _refusal(
    session: AsyncSession, row: ApprovalRow, digest: str, now: datetime, policy: Policy
) -> ClaimRefused:
    if row.status == "executing":
        return ClaimRefused(f"approval {row.id} is being executed by this very run")
    if row.status != "approved":
        return ClaimRefused(f"approval {row.id} is {row.status}, not approved")
    if row.digest != digest:
        return ClaimRefused(f"approval {row.id} was given for another proposal: the digests differ")
    if row.execute_by is None or row.execute_by <= now:
        return ClaimRefused(f"approval {row.id} had to be executed by {row.execute_by}")
    stop = await find_stop(session, policy) or await find_spent_budget(session, policy)
    return WritesStopped(stop or "what stopped writes has ended in this very moment")


def _is_unsent(row: ApprovalRow, epoch: int, sent_generation: int | None) -> bool:
    """Whether nothing was sent for the approval, nor will be: what is on its way can't be superseded."""
    dead = row.status == "executing" and row.claim_epoch is not None and row.claim_epoch < epoch
    return row.status == "approved" or (dead and sent_generation is None)


async def _find_sent(session: AsyncSession, row: ApprovalRow) -> int | None:
    """Return the object's generation when an attempt was last about to be sent, None if none was."""
    return await session.scalar(
        select(IntentRow.generation)
        .where(IntentRow.approval_id == row.id)
        .order_by(IntentRow.attempt.desc())
        .limit(1)
    )


async def _supersede(session: AsyncSession, row: ApprovalRow, proposal: Proposal, policy: Policy) -> Outcome:
    why = f"it was approved under policy {proposal.policy_version}; {policy.version} is in force now"
    row.status, row.outcome = "superseded", why
    facts = {"approval_id": row.id, "outcome": "superseded", "detail": why}
    await timeline.append(session, row.incident_id, "applied", facts)
    await audit.append_about(session, "superseded", row, reason=why)
    return Outcome(kind="superseded", detail=why)
