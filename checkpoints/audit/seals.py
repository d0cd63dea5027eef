"""An approval's rows held against the sealed audit: at the decision, at the claim, and before each patch.

Whoever can write to the database can alter a proposal, its terms, its decisions and its intents. None of that
counts where it isn't sealed: the proposal and the terms are those whose digest was sealed when they were
proposed, approvers are those whose word was sealed for this digest, and an execution is where its sealed
claims and intents say it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.audit.hash_chain import Link
from checkpoints.audit.rows import read_sealed
from checkpoints.db.tables import ApprovalRow, DecisionRow
from checkpoints.db.text import cut, make_storable
from graph.domain.proposal import ApprovalTerms, Proposal
from graph.policy import Policy, refuse_patch
from tools.errors import MendgateError

_APPROVERS = select(DecisionRow.by).where(
    DecisionRow.approval_id == bindparam("id"), DecisionRow.verdict == "approve"
)
ALTERED = "somebody has altered the database; reject or revoke it, and see GET /v1/audit/verify"


class NotAsSealed(MendgateError):
    """What is stored about an approval isn't what the audit has sealed; the message says what differs."""


@dataclass(frozen=True)
class Sealed:
    """What the audit has sealed about an approval that hasn't ended.

    `claims` are the epochs of its claims, oldest first. `sent_generation` is the object's generation when an
    attempt was last about to be sent, None if none was, and `expected` the fingerprint of what it should
    become (None: an older version sealed none). `execute_by` is None until somebody has approved.
    """

    digest: str
    decide_by: str
    approvers: frozenset[str]
    execute_by: str | None
    claims: tuple[int, ...]
    sent_generation: int | None
    expected: str | None


async def require_sealed(session: AsyncSession, row: ApprovalRow) -> Sealed:
    """Return what is sealed about an approval. Raises `NotAsSealed` unless its rows say the same."""
    links = await read_sealed(session, row.id)
    if links is None:
        raise NotAsSealed(f"the audit doesn't know of approval {row.id} as it stands: {ALTERED}")
    if "decide_by" not in links[0].facts:
        raise NotAsSealed(f"approval {row.id} was proposed by an older version, which sealed less: reject it")
    sealed = _read(links)
    proposal = Proposal.model_validate(row.proposal)
    if (proposal.id, proposal.incident_id) != (row.id, row.incident_id) or not (
        proposal.digest == row.digest == sealed.digest
    ):
        raise NotAsSealed(f"the proposal of approval {row.id} isn't the one that was sealed: {ALTERED}")
    if _terms(row) != _bound_terms(proposal) or spell(row.decide_by) != sealed.decide_by:
        raise NotAsSealed(f"the terms of approval {row.id} aren't those that were sealed: {ALTERED}")
    stored = {name_of(by) for by in await session.scalars(_APPROVERS, {"id": row.id})}
    if stored != sealed.approvers:
        odd = ", ".join(sorted(stored ^ sealed.approvers))
        raise NotAsSealed(f"who approved {row.id} isn't who the audit names ({odd}): {ALTERED}")
    return sealed


def require_allowed(row: ApprovalRow, policy: Policy) -> None:
    """Raise `NotAsSealed` where the policy in force would refuse to propose what the approval is about."""
    proposal = Proposal.model_validate(row.proposal)
    if refusal := refuse_patch(proposal.arguments, proposal.diff, policy):
        raise NotAsSealed(f"the policy refuses approval {row.id}: {refusal}")


def name_of(by: str) -> str:
    """Return a person's name as the audit spells it."""
    return cut(make_storable(by), 255)


def spell(instant: datetime) -> str:
    """Return an instant as the audit spells it."""
    return instant.isoformat(timespec="microseconds")


def _read(links: Iterable[Link]) -> Sealed:
    first, *later = links
    proposed = first.facts
    said = [(link, link.facts) for link in later]
    intents = [facts for link, facts in said if link.action == "intent"]
    approved = [(link, facts) for link, facts in said if link.action == "approved"]
    return Sealed(
        digest=proposed["digest"],
        decide_by=proposed["decide_by"],
        approvers=frozenset(link.actor for link, facts in approved if facts["digest"] == proposed["digest"]),
        execute_by=approved[-1][1].get("execute_by") if approved else None,
        claims=tuple(facts["epoch"] for link, facts in said if link.action == "claimed"),
        sent_generation=intents[-1]["generation"] if intents else None,
        expected=intents[-1].get("expected") if intents else None,
    )


def _terms(row: ApprovalRow) -> tuple[Any, ...]:
    approvers = tuple(row.approvers or ())
    return (
        row.quorum, approvers, row.own_approval, row.rule or "", row.requested_by, row.execute_within_seconds
    )  # fmt: skip


def _bound_terms(proposal: Proposal) -> tuple[Any, ...]:
    terms: ApprovalTerms = proposal.terms
    seconds = terms.execute_within.total_seconds()
    return (
        terms.quorum, terms.approvers, terms.own_approval, terms.rule, proposal.requested_by, seconds
    )  # fmt: skip
