"""The alerts that belong to an incident now, each as it stands."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from checkpoints.db.tables import AlertRow, AlertStateRow, IncidentRow
from graph.domain.alerts.payload import Alert


async def attached_alerts(session: AsyncSession, incident_id: str) -> Sequence[Alert]:
    """Return them by when they came, each once. A run that was started by hand has none."""
    rows = await session.execute(
        select(AlertRow, AlertStateRow.status)
        .join(AlertStateRow, AlertRow.fingerprint == AlertStateRow.fingerprint)
        .where(AlertRow.incident_id == incident_id)
        .order_by(AlertRow.received_at, AlertRow.starts_at, AlertRow.fingerprint)
    )
    found: dict[str, Alert] = {}
    for row, status in rows:
        if row.fingerprint not in found or row.status == status:
            found[row.fingerprint] = Alert.model_validate(row.body)
    return list(found.values())


def all_resolved(incident_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return the SQL condition "it has alerts, and each of them has resolved"."""
    attached = select(AlertStateRow.fingerprint).where(AlertStateRow.incident_id == incident_id)
    return exists(attached) & ~exists(attached.where(AlertStateRow.status == "firing"))


async def have_all_resolved(session: AsyncSession, incident_id: str) -> bool:
    """Whether an incident has alerts, and each of them has resolved."""
    query = select(IncidentRow.id).where(IncidentRow.id == incident_id, all_resolved(IncidentRow.id))
    return await session.scalar(query) is not None
