"""What goes into the outbox: in the transaction of the line that it tells of, so that neither is lost."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.tables import ApprovalRow, EntryRow, OutboxRow
from graph.domain.ids import new_id
from graph.domain.notifications import Event, Subscriber

_SUBSCRIBERS = "subscribers"


def telling(subscribers: Sequence[Subscriber]) -> dict[str, Any]:
    """Return what sessions must carry so that these are told of what is written in them."""
    return {_SUBSCRIBERS: tuple(subscribers)}


async def enqueue(session: AsyncSession, entry: EntryRow, event: Event | None) -> None:
    """Have each channel told of a line that wants to hear of such an event, in the caller's transaction."""
    subscribers: Sequence[Subscriber] = session.info.get(_SUBSCRIBERS, ())
    if event is None or not subscribers:
        return
    approval = await find_approval(session, entry)
    risk = approval.proposal["risk"] if approval else None
    session.add_all(
        OutboxRow(
            id=new_id("msg"), channel=one.name, incident_id=entry.incident_id, seq=entry.seq, event=event,
            created_at=entry.at,
        )
        for one in subscribers
        if one.wants(event, risk)
    )  # fmt: skip
    await session.flush()


async def find_approval(session: AsyncSession, entry: EntryRow) -> ApprovalRow | None:
    """Return the approval that a line is about: the one that it names, else the incident's newest."""
    if named := entry.data.get("approval_id"):
        return await session.get(ApprovalRow, named)
    newest = (
        select(ApprovalRow)
        .where(ApprovalRow.incident_id == entry.incident_id)
        .order_by(ApprovalRow.created_at.desc(), ApprovalRow.id.desc())
        .limit(1)
    )
    found: ApprovalRow | None = await session.scalar(newest)
    return found
