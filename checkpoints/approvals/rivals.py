"""Proposals that compete: one fault that two incidents came upon is put before people once."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.tables import ApprovalRow, IncidentRow
from graph.domain.incident import ACTIVE
from graph.domain.proposal import Proposal

_IN_FORCE = ("pending", "approved", "executing")


async def find_rival(session: AsyncSession, proposal: Proposal) -> str | None:
    """Return another open incident that has asked to change the same field of the same object, or None.

    The caller keeps everybody else from proposing until its transaction ends. What takes back a change of
    its own incident competes with nothing.
    """
    if proposal.purpose == "undo":
        return None
    rows = await session.scalars(
        select(ApprovalRow)
        .join(IncidentRow, ApprovalRow.incident_id == IncidentRow.id)
        .where(
            ApprovalRow.status.in_(_IN_FORCE),
            ApprovalRow.namespace == (proposal.target.namespace or ""),
            ApprovalRow.proposal["target_uid"].as_string() == proposal.target_uid,
            ApprovalRow.incident_id != proposal.incident_id,
            IncidentRow.status.in_(ACTIVE),
        )
        .order_by(ApprovalRow.created_at)
    )
    rivals = (row for row in rows if proposal.competes_with(Proposal.model_validate(row.proposal)))
    return next((row.incident_id for row in rivals), None)


async def find_duplicate_of(session: AsyncSession, incident_id: str) -> str | None:
    """Return the incident that this one was merged into, or None."""
    return await session.scalar(select(IncidentRow.duplicate_of).where(IncidentRow.id == incident_id))
