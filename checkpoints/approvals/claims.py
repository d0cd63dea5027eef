"""The claim: one conditional UPDATE decides who may write.

Everything that must hold at the moment of writing is in its WHERE: approved, the same digest, not expired,
no stop in force, the policy's budget not spent, and the run still holds its incident. What the row says must
also be what the audit has sealed (`checkpoints.audit.seals`), and what the policy would still let be
proposed.
"""

from datetime import UTC, datetime

from sqlalchemy import func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.write_budget import find_spent_budget
from checkpoints.approvals.write_stops import find_stop
from checkpoints.audit import log
from checkpoints.audit.seals import ALTERED, NotAsSealed, Sealed, require_allowed, require_sealed, spell
from checkpoints.db.locks import hold_budgets, hold_stops
from checkpoints.db.tables import ApprovalRow, IncidentRow
from checkpoints.timeline import entries
from graph.domain.proposal import Proposal
from graph.policy import Policy
from tools.grants import ClaimRefused, Grant, Outcome, WritesStopped


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
    is_old = proposal.policy_version != policy.version
    if is_old and row.digest == digest and await _is_unsent(session, row, epoch):
        return await _supersede(session, row, proposal, policy)
    was = row.status
    await _claim(session, row, digest, epoch, policy)
    sealed = await _require_sealed(session, row, was, epoch)
    if was == "approved":
        _require_allowed(row, policy)
    await entries.append(session, row.incident_id, "applying", {"approval_id": row.id})
    await log.append_about(session, "claimed", row, epoch=epoch)
    return Grant(
        approval_id=row.id,
        arguments=proposal.arguments,
        uid=proposal.target_uid,
        diff=proposal.diff,
        server=proposal.server,
        sent_generation=sealed.sent_generation,
        expected=sealed.expected,
    )


async def require_claimed(session: AsyncSession, row: ApprovalRow, epoch: int) -> None:
    """Raise `ClaimRefused` unless the sealed audit says that this run claimed the approval last."""
    sealed = await _read_sealed(session, row)
    if sealed.claims[-1:] != (epoch,):
        raise ClaimRefused(f"the audit doesn't know that run {epoch} claimed approval {row.id}: {ALTERED}")


async def _require_sealed(session: AsyncSession, row: ApprovalRow, was: str, epoch: int) -> Sealed:
    """Return what is sealed, if it gives the claim: there is no other one than a dead run's."""
    sealed = await _read_sealed(session, row)
    in_order = not sealed.claims if was == "approved" else bool(sealed.claims) and sealed.claims[-1] < epoch
    if not in_order:
        raise ClaimRefused(f"the audit knows other claims of approval {row.id}: {ALTERED}")
    return sealed


async def _read_sealed(session: AsyncSession, row: ApprovalRow) -> Sealed:
    """Return what is sealed, if the quorum and the time to execute are."""
    try:
        sealed = await require_sealed(session, row)
    except NotAsSealed as difference:
        raise ClaimRefused(str(difference)) from difference
    if len(sealed.approvers) < row.quorum:
        given = f"{len(sealed.approvers)} of {row.quorum}"
        raise ClaimRefused(f"the audit knows {given} approvals of {row.id}: {ALTERED}")
    if row.execute_by is None or spell(row.execute_by) != sealed.execute_by:
        raise ClaimRefused(f"approval {row.id} has another time to be executed than was sealed: {ALTERED}")
    return sealed


def _require_allowed(row: ApprovalRow, policy: Policy) -> None:
    try:
        require_allowed(row, policy)
    except NotAsSealed as refusal:
        raise ClaimRefused(str(refusal)) from refusal


async def _claim(session: AsyncSession, row: ApprovalRow, digest: str, epoch: int, policy: Policy) -> None:
    now = datetime.now(UTC)
    # under the locks of the stops and the budgets, so that both still hold when the row is taken
    namespace = row.proposal["target"]["namespace"]
    stop = await find_stop(session, policy, namespace) or await find_spent_budget(session, policy)
    fresh = (ApprovalRow.status == "approved") & (ApprovalRow.execute_by > now) & literal(stop is None)
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
        raise _refusal(row, digest, now, stop)


def _refusal(row: ApprovalRow, digest: str, now: datetime, stop: str | None) -> ClaimRefused:
    if row.status == "executing":
        return ClaimRefused(f"approval {row.id} is being executed by this very run")
    if row.status != "approved":
        return ClaimRefused(f"approval {row.id} is {row.status}, not approved")
    if row.digest != digest:
        return ClaimRefused(f"approval {row.id} was given for another proposal: the digests differ")
    if row.execute_by is None or row.execute_by <= now:
        return ClaimRefused(f"approval {row.id} had to be executed by {row.execute_by}")
    return WritesStopped(stop or "what stopped writes has ended in this very moment")


async def _is_unsent(session: AsyncSession, row: ApprovalRow, epoch: int) -> bool:
    """Whether nothing was sent for the approval, nor will be: what is on its way can't be superseded."""
    is_dead = row.status == "executing" and row.claim_epoch is not None and row.claim_epoch < epoch
    return row.status == "approved" or (
        is_dead and (await _read_sealed(session, row)).sent_generation is None
    )


async def _supersede(session: AsyncSession, row: ApprovalRow, proposal: Proposal, policy: Policy) -> Outcome:
    why = f"it was approved under policy {proposal.policy_version}; {policy.version} is in force now"
    row.status, row.outcome = "superseded", why
    facts = {"approval_id": row.id, "outcome": "superseded", "detail": why}
    await entries.append(session, row.incident_id, "applied", facts)
    await log.append_about(session, "superseded", row, reason=why)
    return Outcome(kind="superseded", detail=why)
