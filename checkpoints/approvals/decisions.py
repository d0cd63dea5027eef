"""Decisions: what people say about approvals, each recorded once, in one transaction, with one answer."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.rivals import find_rival
from checkpoints.approvals.store import (
    DecisionKind,
    expire_approval,
    give_approval,
    hold_approval,
    note_decision,
    read_approval,
    store_approval,
)
from checkpoints.approvals.write_stops import find_stop
from checkpoints.audit import log
from checkpoints.audit.seals import NotAsSealed, require_allowed, require_sealed
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_intake, hold_stops
from checkpoints.db.tables import ApprovalRow
from checkpoints.queue import wakeups
from graph.domain.proposal import Approval, ApprovalTerms, Decision, Proposal
from graph.policy import Policy
from graph.ports import AskedElsewhere
from tools.errors import BadInput, MendgateError

_GONE = frozenset({"expired", "withdrawn", "revoked"})
_STANDING: dict[str, frozenset[str]] = {
    "approve": frozenset({"approved", "executing", "applied"}),
    "reject": frozenset({"rejected"}),
}


class DecisionRefused(MendgateError):
    """The decision was not recorded. Carries the approval as it stands."""

    def __init__(self, message: str, approval: Approval) -> None:
        self.approval = approval
        super().__init__(message)


class DigestMissing(DecisionRefused):
    """An approval must name the digest of what was seen."""


class DigestMismatch(DecisionRefused):
    """The decision was made for something else than what this approval binds: look at it again."""


class AlreadyDecided(DecisionRefused):
    """The approval has been decided otherwise, or superseded; the message names the winner or successor."""


class ApprovalGone(DecisionRefused):
    """The approval has expired, or was withdrawn or revoked."""


class DecisionWhileStopped(DecisionRefused):
    """The kill switch or a freeze is in force. Rejecting is still possible."""


class NotAnApprover(DecisionRefused):
    """The policy names others than this person for it."""


class Altered(DecisionRefused):
    """The approval isn't what was sealed when it was proposed, or the policy refuses it now."""


class OwnProposal(DecisionRefused):
    """The policy wants somebody else than the editor to approve."""


class Decisions:
    """Records approvals and rejections."""

    def __init__(self, transaction: Transaction, policy: Policy) -> None:
        self._transaction = transaction
        self._policy = policy

    async def decide(  # noqa: PLR0913 -- all that a decision is, by name
        self,
        approval_id: str,
        *,
        by: str,
        verdict: DecisionKind,
        digest: str | None,
        reason: str,
        role: str = "",
    ) -> tuple[Approval, bool]:
        """Record one decision; return the approval as it stands then, and whether anything new was recorded.

        `digest` is what the person saw (None only for a rejection), `role` what their credential gives them.
        Raises a `DecisionRefused`.
        """
        late: ApprovalGone | None = None
        async with self._transaction() as session:
            row = await hold_approval(session, approval_id)
            said = Decision(by=by, verdict=verdict, reason=reason, at=datetime.now(UTC))
            if row.status == "pending" and row.decide_by <= said.at:
                await expire_approval(session, row)
                # raised behind the transaction, so that the expiry itself is kept
                late = ApprovalGone(row.outcome, await read_approval(session, row))
            else:
                approval = await read_approval(session, row)
                if verdict == "approve" and digest is None:
                    raise DigestMissing("send the digest of the approval that you looked at", approval)
                if _stands_already(approval, by, verdict, digest):
                    return approval, False
                require_pending(approval, digest, said.at)
                if verdict == "approve":
                    await self._require_approvable(session, approval, by, role)
                    given = await _require_sealed(session, row, approval, self._policy)
                    await give_approval(session, row, given, said)
                else:
                    await _reject(session, row, said)
                await wakeups.wake(session, [row.incident_id])
                return await read_approval(session, row), True
        raise late

    async def edit(  # noqa: PLR0913 -- all that an edit is, by name
        self,
        approval_id: str,
        successor: Proposal,
        terms: ApprovalTerms,
        *,
        by: str,
        digest: str | None,
        reason: str,
    ) -> Approval:
        """Put an edited proposal in the place of a pending one and return its own, new approval.

        The edit decides nothing: the new approval waits for its approvers. Raises a `DecisionRefused`, and
        `BadInput` where another open incident has asked to change the same fields.
        """
        async with self._transaction() as session:
            await hold_intake(session)  # nobody proposes meanwhile
            row = await hold_approval(session, approval_id)
            approval = await read_approval(session, row)
            require_pending(approval, digest, datetime.now(UTC))
            await _require_sealed(session, row, approval)
            if rival := await find_rival(session, successor):
                raise BadInput(f"the edit can't be proposed: {AskedElsewhere(rival)}; decide there first")
            row.status, row.superseded_by = "superseded", successor.id
            row.outcome = f"{by} edited it into {successor.id}"
            said = Decision(by=by, verdict="edit", reason=reason, at=datetime.now(UTC))
            await note_decision(session, row, said)
            await log.append_about(session, "edited", row, by, successor=successor.id, reason=reason)
            return await read_approval(session, await store_approval(session, successor, terms, by))

    async def _require_approvable(
        self, session: AsyncSession, approval: Approval, by: str, role: str
    ) -> None:
        if by == approval.requested_by and not approval.own_approval:
            raise OwnProposal(f"{by} edited this proposal: somebody else must approve it", approval)
        if not approval.may_be_approved_by(by, role):
            named = ", ".join(approval.approvers)
            raise NotAnApprover(
                f"{by} may not approve this one: the policy's rule {approval.rule} names {named}", approval
            )
        await hold_stops(session, "obey")
        if stop := await find_stop(session, self._policy, approval.proposal.target.namespace):
            raise DecisionWhileStopped(f"{stop}; rejecting is still possible", approval)


async def _require_sealed(
    session: AsyncSession, row: ApprovalRow, approval: Approval, policy: Policy | None = None
) -> frozenset[str]:
    """Return who has approved so far, by the sealed audit. Raises `Altered` where the rows say otherwise.

    A `policy` must still let the proposal be made.
    """
    try:
        sealed = await require_sealed(session, row)
        if policy:
            require_allowed(row, policy)
    except NotAsSealed as difference:
        raise Altered(str(difference), approval) from difference
    return sealed.approvers


async def _reject(session: AsyncSession, row: ApprovalRow, no: Decision) -> None:
    await note_decision(session, row, no)
    row.status, row.outcome = "rejected", no.reason
    await session.flush()
    await log.append_about(session, "rejected", row, no.by, quorum=row.quorum, reason=no.reason)


def require_pending(approval: Approval, digest: str | None, now: datetime) -> None:
    """Raise a `DecisionRefused` unless it can be decided at `now`; `digest` is what the person saw."""
    if approval.status == "pending" and approval.decide_by <= now:
        raise ApprovalGone(f"nobody decided by {approval.decide_by:%Y-%m-%d %H:%M:%S} UTC", approval)
    if approval.status in _GONE:
        raise ApprovalGone(f"the approval is {approval.status}: {approval.outcome}", approval)
    if digest is not None and digest != approval.digest:
        raise DigestMismatch("the digest isn't this approval's: read it again and decide on that", approval)
    if approval.status != "pending":
        raise AlreadyDecided(_winner(approval), approval)


def _stands_already(approval: Approval, by: str, verdict: DecisionKind, digest: str | None) -> bool:
    """Whether this person said exactly this before, or the approval already stands as asked for."""
    if digest not in (None, approval.digest):
        return False
    said_before = any(past.by == by and past.verdict == verdict for past in approval.decisions)
    stands = approval.status in _STANDING[verdict]
    return approval.status not in _GONE | {"superseded"} and (said_before or stands)


def _winner(approval: Approval) -> str:
    if approval.status == "superseded":
        successor = approval.superseded_by
        return f"superseded by {successor}" if successor else f"superseded: {approval.outcome}"
    if not approval.decisions:
        return f"the approval is {approval.status}: {approval.outcome}"
    rejected = approval.status == "rejected"  # times tell no order where the clock was set back
    last = [one for one in approval.decisions if (one.verdict == "reject") is rejected][-1]
    return f"already {approval.status}: {last.by} chose to {last.verdict} at {last.at:%Y-%m-%d %H:%M:%S} UTC"
