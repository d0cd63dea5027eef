"""Incidents that turn out to be about one target: the one that finds it taken leaves its alerts to the other.

Not the older one wins but the one that had the target first: its proposal may stand before a person already.
Nor is an incident merged under which something was approved or written: that has to come to its end there.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.store import supersede_approvals
from checkpoints.db.tables import AlertRow, AlertStateRow, ApprovalRow, IncidentRow
from checkpoints.timeline import entries
from graph.domain.alerts.subjects import find_cluster
from graph.domain.incident import ACTIVE, EndStatus, IncidentStatus
from graph.state import RunContext

_TOLD: tuple[EndStatus, ...] = ("handed_over", "rejected", "expired", "unresolved")
_CHANGING: tuple[IncidentStatus, ...] = ("applying", "verifying")
_MENDED: tuple[EndStatus, ...] = ("resolved", "withdrawn")
_BOUND = ("approved", "executing", "applied", "unknown")


def has_told(key: str, since: datetime) -> ColumnElement[bool]:
    """Return the condition for an incident that has left a target to people since an instant."""
    told = IncidentRow.status.in_(_TOLD) & (IncidentRow.updated_at > since)
    return (IncidentRow.target_key == key) & told


def has_told_row(row: IncidentRow) -> bool:
    """Whether an incident has left its target to people, who then see all alerts about it."""
    return row.status in _TOLD


def has_mended(key: str, since: datetime, began_at: datetime) -> ColumnElement[bool]:
    """Return the condition for an incident that is changing a target, or after which it was well.

    That ended `since` an instant, and after alerts about what is before the target `began_at`.
    """
    ended = IncidentRow.status.in_(_MENDED) & (IncidentRow.updated_at > max(since, began_at))
    return (IncidentRow.target_key == key) & (IncidentRow.status.in_(_CHANGING) | ended)


async def may_leave(session: AsyncSession, row: IncidentRow, epoch: int) -> bool:
    """Whether a run's incident may be merged into another: nothing of it is approved, nor was written.

    A run that was started by hand is left alone: somebody wants it as well as others.
    """
    if row.duplicate_of or epoch == RunContext().epoch:
        return False
    bound = select(ApprovalRow.id).where(ApprovalRow.incident_id == row.id, ApprovalRow.status.in_(_BOUND))
    return (await session.scalar(bound.limit(1))) is None


def may_take_in(row: IncidentRow, other: IncidentRow) -> bool:
    """Whether another incident is open, and can take in alerts of this one: from the same cluster."""
    here, there = find_cluster_of(row), find_cluster_of(other)
    is_apart = bool(here and there) and here != there
    return other.status in ACTIVE and not other.duplicate_of and not is_apart


def find_cluster_of(row: IncidentRow) -> str | None:
    """Return the cluster that the alert which opened an incident comes from, None if it names none."""
    return find_cluster(row.group["alerts"][0]["labels"])


async def merge(session: AsyncSession, row: IncidentRow, holder: IncidentRow) -> None:
    """Move an incident's alerts to the one that has its target.

    What it still asks for is superseded at once: a person mustn't approve what ends with the incident.
    """
    why = f"the alerts of its incident belong to incident {holder.id} now"
    await supersede_approvals(session, row.id, None, why)
    for table in (AlertRow, AlertStateRow):
        moved = update(table).where(table.incident_id == row.id).values(incident_id=holder.id)
        await session.execute(moved)
    row.duplicate_of = holder.id
    note = f"the alerts of incident {row.id} are about this target, too"
    await entries.append(session, holder.id, "alert_attached", {"alertname": row.alertname, "note": note})
