"""Approvals: the authority on what may be written to the cluster, from a proposal to its end."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.claims import claim_approval, require_claimed
from checkpoints.approvals.reminders import reminder_times
from checkpoints.approvals.rivals import find_duplicate_of, find_rival
from checkpoints.approvals.write_budget import find_spent_budget, may_approve_itself
from checkpoints.approvals.write_stops import find_stop
from checkpoints.audit import log
from checkpoints.audit.endings import End, read_ends
from checkpoints.audit.seals import name_of, spell
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_budgets, hold_incident_of, hold_incidents, hold_intake, hold_stops
from checkpoints.db.pagination import Page, cut_page, newest_first
from checkpoints.db.run_epochs import hold_run
from checkpoints.db.tables import ApprovalRow, DecisionRow, IncidentRow, IntentRow
from checkpoints.timeline import entries
from graph.domain.proposal import Approval, ApprovalStatus, ApprovalTerms, Decision, Proposal
from graph.policy import POLICY_PREFIX, AutoApproval, Policy, find_auto_approval, refuse_patch
from graph.ports import AskedElsewhere, StaleRun, Standing
from tools.errors import MendgateError
from tools.grants import ClaimRefused, Grant, Outcome

DecisionKind = Literal["approve", "reject", "edit", "revoke", "resolve"]
_USUAL = ApprovalTerms()
_MOST = 200  # expire at a time: the others do at the next one
# Made once: these are read at every step.
_BY_ID = select(ApprovalRow).where(ApprovalRow.id == bindparam("id"))
_DECISIONS = (
    select(DecisionRow)
    .where(DecisionRow.approval_id.in_(bindparam("ids", expanding=True)))
    .order_by(DecisionRow.at)
)
_EPOCH = select(IncidentRow.run_epoch).where(IncidentRow.id == bindparam("id"))
_AUTOMATIC = "approved by this rule of the policy; nobody was asked"


class ApprovalNotFound(MendgateError):
    """There is no approval with this id."""


class Approvals:
    """Proposals as approvals, from pending to their end."""

    def __init__(self, transaction: Transaction, policy: Policy) -> None:
        self._transaction = transaction
        self._policy = policy

    async def propose(self, proposal: Proposal, epoch: int, terms: ApprovalTerms = _USUAL) -> Approval:
        """Store a proposal as a pending approval; one that still stood for the incident is superseded.

        The incident waits for a person then. If the same change stands already, as after a crash, nothing is
        stored and that one is returned. Where a rule of the policy approves it, that decision is recorded at
        once. Raises `AskedElsewhere` where another open incident has asked for it.
        """
        async with self._transaction() as session:
            await hold_intake(session)  # nobody else proposes meanwhile
            await hold_run(session, proposal.incident_id, epoch, status="awaiting_approval", reason="")
            if other := await find_duplicate_of(session, proposal.incident_id):  # merged before a crash
                raise AskedElsewhere(other)
            if known := await session.get(ApprovalRow, proposal.id):  # stored before a crash, perhaps decided
                return await read_approval(session, known)
            if standing := await _same_standing(session, proposal):
                return await read_approval(session, standing)
            if rival := await find_rival(session, proposal):
                raise AskedElsewhere(rival)
            rule = await self._find_automatic(session, proposal)  # it locks what comes before the audit
            await supersede_approvals(
                session, proposal.incident_id, proposal.id, "a newer proposal took its place"
            )
            row = await store_approval(session, proposal, terms)
            if rule:
                yes = Decision(
                    by=f"{POLICY_PREFIX}{rule.name}", verdict="approve", reason=_AUTOMATIC,
                    at=datetime.now(UTC),
                )  # fmt: skip
                await give_approval(session, row, (), yes)
            return await read_approval(session, row)

    async def _find_automatic(self, session: AsyncSession, proposal: Proposal) -> AutoApproval | None:
        """Return the policy's rule that approves a proposal now: with a budget left, and no stop in force."""
        rule = find_auto_approval(proposal, self._policy)
        if rule is None or refuse_patch(proposal.arguments, proposal.diff, self._policy):
            return None
        await hold_stops(session, "obey")
        await hold_budgets(session)
        if await find_stop(session, self._policy, proposal.target.namespace) or not await may_approve_itself(
            session, rule
        ):
            return None
        return rule

    async def standing(self, approval_id: str) -> Standing:
        """Return the approval as it stands, and what stops it from being executed at this moment.

        Where a person has edited it, that is the approval of the edited proposal.
        """
        async with self._transaction() as session:
            row = await require_approval(session, approval_id)
            while (
                row.superseded_by
                and (edited := await require_approval(session, row.superseded_by)).requested_by
            ):
                row = edited
            approval = await read_approval(session, row)
            await hold_stops(session, "obey")
            stop = await self._find_stop(session, row)
            return Standing(
                approval=approval, stopped_by=stop or await find_spent_budget(session, self._policy)
            )

    async def _find_stop(self, session: AsyncSession, row: ApprovalRow) -> str | None:
        return await find_stop(session, self._policy, row.proposal["target"]["namespace"])

    async def claim(self, approval_id: str, digest: str, epoch: int) -> Grant | Outcome:
        """Claim the approval, take a claimed one over after a crash, or return how it has already ended."""
        async with self._transaction() as session:
            row = await hold_approval(session, approval_id)
            await _require_epoch(session, row.incident_id, epoch)
            if row.status in {"applied", "failed", "superseded", "unknown"}:
                end = (await read_ends(session, [row]))[row.id]
                if end.doubt:
                    raise ClaimRefused(f"approval {approval_id}: {end.doubt}")
                return Outcome.model_validate({"kind": row.status, "detail": end.tell(row.outcome)})
            return await claim_approval(session, row, digest, epoch, self._policy)

    async def record_intent(
        self, approval_id: str, epoch: int, *, resource_version: str, generation: int, expected: str
    ) -> None:
        """Write ahead that a patch made for this version is about to be sent, unless something stops it.

        `expected`, the fingerprint of what the object should become, stands in the sealed audit.
        """
        async with self._transaction() as session:
            row = await hold_approval(session, approval_id)
            await _require_epoch(session, row.incident_id, epoch)
            if row.status != "executing":
                raise ClaimRefused(f"approval {approval_id} is {row.status}")
            await hold_stops(session, "obey")
            if stop := await self._find_stop(session, row):
                raise ClaimRefused(stop)
            if (
                row.proposal["policy_version"] != self._policy.version
            ):  # after a restart, under a dead run's claim
                raise ClaimRefused(f"the policy has changed since the claim: {self._policy.version}")
            now = datetime.now(UTC)
            if row.execute_by is None or row.execute_by <= now:
                raise ClaimRefused(f"approval {approval_id} had to be executed by {row.execute_by}")
            await require_claimed(session, row, epoch)
            attempts = await session.scalar(
                select(func.count()).select_from(IntentRow).where(IntentRow.approval_id == approval_id)
            )
            session.add(
                IntentRow(
                    approval_id=approval_id,
                    attempt=(attempts or 0) + 1,
                    epoch=epoch,
                    resource_version=resource_version,
                    generation=generation,
                    at=now,
                )
            )
            await log.append_about(
                session,
                "intent",
                row,
                epoch=epoch,
                resource_version=resource_version,
                generation=generation,
                expected=expected,
            )

    async def record_outcome(self, approval_id: str, epoch: int, outcome: Outcome) -> None:
        """Write down how the execution ended."""
        async with self._transaction() as session:
            row = await hold_approval(session, approval_id)
            await _require_epoch(session, row.incident_id, epoch)
            row.status, row.outcome = outcome.kind, outcome.detail
            await entries.append(
                session,
                row.incident_id,
                "applied",
                {"approval_id": row.id, "outcome": outcome.kind, "detail": outcome.detail},
            )
            await log.append_about(session, "outcome", row, outcome=outcome.kind, detail=outcome.detail)

    async def withdraw(self, approval_id: str, epoch: int, reason: str) -> None:
        """Withdraw an approved approval that no claim has taken: its target doesn't need it any more."""
        async with self._transaction() as session:
            row = await hold_approval(session, approval_id)
            await _require_epoch(session, row.incident_id, epoch)
            if row.status == "approved":
                await withdraw_approval(session, row, reason)

    async def find(self, approval_id: str) -> Approval:
        """Return one approval or raise `ApprovalNotFound`."""
        async with self._transaction() as session:
            return await read_approval(session, await require_approval(session, approval_id))

    async def page(
        self,
        *,
        status: ApprovalStatus | None = None,
        namespace: str | None = None,
        limit: int = 50,
        token: str | None = None,
    ) -> Page[Approval]:
        """Return approvals, newest first, `limit` at a time."""
        async with self._transaction.reading() as session:
            query = newest_first(select(ApprovalRow), ApprovalRow, limit=limit, token=token)
            if status:
                query = query.where(ApprovalRow.status == status)
            if namespace:
                query = query.where(ApprovalRow.namespace == namespace)
            rows = (await session.scalars(query)).all()
            return cut_page(await read_approvals(session, rows[:limit]), more=len(rows) > limit)

    async def expire(self) -> Sequence[str]:
        """Mark approvals whose time is over as expired, the oldest first; return their incidents.

        There is a limit to how many at a time: webhooks and decisions wait for this.
        """
        now = datetime.now(UTC)
        async with self._transaction() as session:
            late_ones = ((ApprovalRow.status == "pending") & (ApprovalRow.decide_by <= now)) | (
                (ApprovalRow.status == "approved") & (ApprovalRow.execute_by <= now)
            )
            oldest = (
                select(ApprovalRow.incident_id).where(late_ones).order_by(ApprovalRow.created_at).limit(_MOST)
            )
            incident_ids = (await session.scalars(oldest)).all()
            await hold_incidents(session, incident_ids)
            # once more: somebody may have decided while this one waited
            late = (
                await session.scalars(
                    select(ApprovalRow).where(late_ones, ApprovalRow.incident_id.in_(incident_ids))
                )
            ).all()
            for row in late:
                await expire_approval(session, row)
            return [row.incident_id for row in late]


async def approvals_of(session: AsyncSession, incident_id: str) -> Sequence[Approval]:
    """Return an incident's approvals, oldest first."""
    rows = await session.scalars(
        select(ApprovalRow).where(ApprovalRow.incident_id == incident_id).order_by(ApprovalRow.created_at)
    )
    return await read_approvals(session, rows.all())


async def store_approval(
    session: AsyncSession, proposal: Proposal, terms: ApprovalTerms, requested_by: str = ""
) -> ApprovalRow:
    """Store a proposal on its terms as a pending approval, in the caller's transaction."""
    now = datetime.now(UTC)
    proposal = proposal.on(terms, requested_by)
    decide_by = now + terms.decide_within
    row = ApprovalRow(
        id=proposal.id, incident_id=proposal.incident_id, status="pending",
        namespace=proposal.target.namespace or "", digest=proposal.digest,
        proposal=proposal.model_dump(mode="json"), quorum=terms.quorum, requested_by=requested_by,
        own_approval=terms.own_approval, rule=terms.rule, approvers=list(terms.approvers),
        created_at=now, decide_by=decide_by,
        execute_within_seconds=terms.execute_within.total_seconds(), outcome="",
        remind_at=reminder_times(now, decide_by)[0],
    )  # fmt: skip
    session.add(row)
    await session.flush()
    facts = {
        "approval_id": proposal.id,
        "summary": proposal.summary,
        "target": str(proposal.target),
        "arguments": proposal.arguments.as_json(),
        "diff": [str(change) for change in proposal.diff],
    }
    await entries.append(session, proposal.incident_id, "proposed", facts)
    await log.append_about(
        session, "proposed", row, requested_by or log.SERVICE,
        quorum=terms.quorum, rule=terms.rule, decide_by=spell(decide_by),
    )  # fmt: skip
    return row


async def give_approval(
    session: AsyncSession, row: ApprovalRow, given: Collection[str], yes: Decision
) -> None:
    """Record that somebody approves, in the caller's transaction; with enough of them the approval stands.

    `given` are those whose approval is sealed already.
    """
    await note_decision(session, row, yes)
    if len({*given, name_of(yes.by)}) >= row.quorum:
        row.status, row.execute_by = "approved", yes.at + timedelta(seconds=row.execute_within_seconds)
    await session.flush()
    execute_by = spell(row.execute_by) if row.execute_by else None
    await log.append_about(
        session, "approved", row, yes.by, quorum=row.quorum, reason=yes.reason, execute_by=execute_by
    )


async def note_decision(session: AsyncSession, row: ApprovalRow, said: Decision) -> None:
    """Write down what was said about an approval, in the caller's transaction."""
    session.add(DecisionRow(approval_id=row.id, **said.model_dump()))
    await session.flush()
    facts = said.model_dump(include={"by", "verdict", "reason"})
    facts |= {"approval_id": row.id, "digest": row.digest}
    await entries.append(session, row.incident_id, "decided", facts)


async def require_approval(session: AsyncSession, approval_id: str) -> ApprovalRow:
    """Return the row of an approval or raise `ApprovalNotFound`."""
    row: ApprovalRow | None = await session.scalar(_BY_ID, {"id": approval_id})
    if row is None:
        raise ApprovalNotFound(f"there is no approval {approval_id}")
    return row


async def hold_approval(session: AsyncSession, approval_id: str) -> ApprovalRow:
    """Do the same, and keep every other transaction off the approval and its incident until this one ends."""
    await hold_incident_of(session, approval_id)
    return await require_approval(session, approval_id)


async def read_approval(session: AsyncSession, row: ApprovalRow) -> Approval:
    """Return a row with its decisions as the model that people and the graph see."""
    (approval,) = await read_approvals(session, [row])
    return approval


async def read_approvals(session: AsyncSession, rows: Sequence[ApprovalRow]) -> list[Approval]:
    """Do so for several; their decisions are asked for all at once."""
    decisions: dict[str, list[Decision]] = {row.id: [] for row in rows}
    for decision in await session.scalars(_DECISIONS, {"ids": list(decisions)}):
        decisions[decision.approval_id].append(Decision.model_validate(decision, from_attributes=True))
    ends = await read_ends(session, rows)
    return [_approval(row, decisions[row.id], ends[row.id]) for row in rows]


def _approval(row: ApprovalRow, decisions: Sequence[Decision], end: End) -> Approval:
    """Return a row as an approval; how it ended is unknown where the audit hasn't sealed that."""
    return Approval(
        proposal=Proposal.model_validate(row.proposal),
        status="unknown" if end.doubt else row.status,
        digest=row.digest,
        quorum=row.quorum,
        requested_by=row.requested_by,
        own_approval=row.own_approval,
        rule=row.rule or "",
        approvers=tuple(row.approvers or ()),
        decisions=tuple(decisions),
        created_at=row.created_at,
        decide_by=row.decide_by,
        execute_by=row.execute_by,
        superseded_by=row.superseded_by,
        outcome=end.doubt or end.tell(row.outcome),
    )


async def supersede_approvals(
    session: AsyncSession, incident_id: str, successor: str | None, why: str
) -> None:
    """Take every approval of the incident that still stands out of use."""
    rows = await session.scalars(
        update(ApprovalRow)
        .where(ApprovalRow.incident_id == incident_id, ApprovalRow.status.in_(("pending", "approved")))
        .values(status="superseded", superseded_by=successor, outcome=why)
        .returning(ApprovalRow)
    )
    for row in rows.all():
        await log.append_about(session, "superseded", row, successor=successor, reason=why)


async def expire_approval(session: AsyncSession, row: ApprovalRow) -> None:
    """Mark an approval whose time is over as expired. A time-out never reads as a rejection."""
    late = "nobody decided" if row.status == "pending" else "it was approved but not executed"
    limit = row.decide_by if row.status == "pending" else row.execute_by
    row.status, row.outcome = "expired", f"{late} by {limit:%Y-%m-%d %H:%M:%S} UTC"
    await entries.append(
        session,
        row.incident_id,
        "decided",
        {"approval_id": row.id, "verdict": "expired", "reason": row.outcome},
    )
    await log.append_about(session, "expired", row, reason=row.outcome)


async def withdraw_approval(session: AsyncSession, row: ApprovalRow, reason: str) -> None:
    """Mark an approval as withdrawn: what it was to mend has gone by itself."""
    row.status, row.outcome = "withdrawn", reason
    facts = {"approval_id": row.id, "verdict": "withdrawn", "reason": reason}
    await entries.append(session, row.incident_id, "decided", facts)
    await log.append_about(session, "withdrawn", row, reason=reason)


async def _require_epoch(session: AsyncSession, incident_id: str, epoch: int) -> None:
    current = await session.scalar(_EPOCH, {"id": incident_id})
    if current != epoch:
        raise StaleRun(f"run {epoch} of incident {incident_id} was taken over; it stops here")


async def _same_standing(session: AsyncSession, proposal: Proposal) -> ApprovalRow | None:
    """Return the incident's approval that still stands, if it binds the very same change."""
    rows = await session.scalars(
        select(ApprovalRow).where(
            ApprovalRow.incident_id == proposal.incident_id, ApprovalRow.status.in_(("pending", "approved"))
        )
    )
    return next((row for row in rows if Proposal.model_validate(row.proposal).is_same_change(proposal)), None)
