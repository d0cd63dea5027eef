"""Which open incident has a target."""

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.locks import hold_incidents
from checkpoints.db.tables import IncidentRow
from graph.domain.incident import ACTIVE


async def find_holder(
    session: AsyncSession, incident_id: str, key: str, *others: ColumnElement[bool]
) -> IncidentRow | None:
    """Return another open incident about a target, or None. Both are held until the transaction ends.

    One that fulfils one of the `others` counts, too. The caller keeps deliveries out, and thereby everybody
    who could take the target meanwhile.
    """
    is_open = (IncidentRow.target_key == key) & IncidentRow.status.in_(ACTIVE)
    open_ones = (
        select(IncidentRow)
        .where(or_(is_open, *others), IncidentRow.id != incident_id, IncidentRow.duplicate_of.is_(None))
        .order_by(IncidentRow.status.not_in(ACTIVE), IncidentRow.target_key != key, IncidentRow.created_at)
        .execution_options(populate_existing=True)
    )
    ids = [row.id for row in await session.scalars(open_ones)]
    await hold_incidents(session, {incident_id, *ids})
    if not ids:
        return None
    # once more: it may have ended while this transaction waited
    return (await session.scalars(open_ones.limit(1))).first()
