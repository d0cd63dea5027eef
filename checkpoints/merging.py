"""Incidents that turn out to be about one target: the one that finds it taken leaves its alerts to the other.

Not the older one wins but the one that had the target first: its proposal may stand before a person already.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints import timeline
from checkpoints.locks import hold_incidents
from checkpoints.tables import AlertRow, AlertStateRow, IncidentRow
from graph.incident import ACTIVE


async def find_holder(session: AsyncSession, incident_id: str, key: str) -> IncidentRow | None:
    """Return another open incident about a target, or None. Both are held until the transaction ends.

    The caller keeps deliveries out, and thereby everybody who could take the target meanwhile.
    """
    open_ones = (
        select(IncidentRow)
        .where(
            IncidentRow.target_key == key,
            IncidentRow.id != incident_id,
            IncidentRow.status.in_(ACTIVE),
            IncidentRow.duplicate_of.is_(None),
        )
        .order_by(IncidentRow.created_at)
        .execution_options(populate_existing=True)
    )
    ids = [row.id for row in await session.scalars(open_ones)]
    await hold_incidents(session, {incident_id, *ids})
    if not ids:
        return None
    # once more: it may have ended while this transaction waited
    return (await session.scalars(open_ones.limit(1))).first()


async def merge(session: AsyncSession, row: IncidentRow, holder: IncidentRow) -> None:
    """Move an incident's alerts to the one that has its target."""
    for table in (AlertRow, AlertStateRow):
        moved = update(table).where(table.incident_id == row.id).values(incident_id=holder.id)
        await session.execute(moved)
    row.duplicate_of = holder.id
    note = f"the alerts of incident {row.id} are about this target, too"
    await timeline.append(session, holder.id, "alert_attached", {"alertname": row.alertname, "note": note})
