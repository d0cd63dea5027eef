"""Who waits for whom on Postgres, so that what a transaction has read still holds when it writes.

A transaction that changes anything about an incident (its status and epoch, its evidence and timeline, its
approvals and their decisions) first takes that incident's row; what it reads after that is the latest.
Deliveries wait for each other, because two may open the same incident, and so does who takes a target for
an incident, opens one again, or proposes a change. Setting a stop waits for the claims and looks in flight,
and they for it. Whoever spends from a budget of the policy, or appends to the audit, waits for whoever did
before. Each transaction takes the intake first, then incidents in the order of their ids, then the stops,
then the budgets, and the audit last, so that no two can wait for each other.

SQLite needs none of this: `BEGIN IMMEDIATE` lets one transaction in at a time.
"""

from collections.abc import Collection
from typing import Literal

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.tables import ApprovalRow, IncidentRow

MIGRATION = 7_210_001
_INTAKE, _STOPS, _AUDIT, _RETENTION, _BUDGETS, _CHANNELS = range(7_210_002, 7_210_008)
_Use = Literal["set", "obey"]


async def hold_incident(session: AsyncSession, incident_id: str) -> None:
    """Keep every other transaction off the incident until this one ends."""
    await _take(session, select(IncidentRow.id).where(IncidentRow.id == incident_id))


async def hold_incidents(session: AsyncSession, incident_ids: Collection[str]) -> None:
    """Do so for several incidents, if any."""
    if incident_ids:
        await _take(session, select(IncidentRow.id).where(IncidentRow.id.in_(incident_ids)))


async def hold_incident_of(session: AsyncSession, approval_id: str) -> None:
    """Do so for the incident that an approval belongs to; an unknown approval has none."""
    owner = select(ApprovalRow.incident_id).where(ApprovalRow.id == approval_id).scalar_subquery()
    await _take(session, select(IncidentRow.id).where(IncidentRow.id == owner))


async def hold_intake(session: AsyncSession) -> None:
    """Keep deliveries, and whatever else opens or merges incidents, out until this transaction ends."""
    await _advise(session, "pg_advisory_xact_lock", _INTAKE)


async def hold_stops(session: AsyncSession, use: _Use) -> None:
    """Let nobody set a stop while a transaction obeys those that it has read, or the other way round."""
    lock = "pg_advisory_xact_lock" if use == "set" else "pg_advisory_xact_lock_shared"
    await _advise(session, lock, _STOPS)


async def hold_budgets(session: AsyncSession) -> None:
    """Let nobody else spend from a budget until this transaction ends: what was counted then still holds."""
    await _advise(session, "pg_advisory_xact_lock", _BUDGETS)


async def hold_audit(session: AsyncSession) -> None:
    """Let nobody else append to the audit until this transaction ends."""
    await _advise(session, "pg_advisory_xact_lock", _AUDIT)


async def hold_channels(session: AsyncSession) -> None:
    """Let nobody else make channels known until this transaction ends."""
    await _advise(session, "pg_advisory_xact_lock", _CHANNELS)


async def try_retention(session: AsyncSession) -> bool:
    """Keep other replicas from clearing up until this transaction ends; False if one of them is at it."""
    if not _is_postgres(session):
        return True
    return bool(await session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _RETENTION}))


async def _take(session: AsyncSession, incidents: Select[str]) -> None:
    if _is_postgres(session):
        # NO KEY: rows that only refer to the incident, as an alert that is being attached, needn't wait
        await session.execute(incidents.order_by(IncidentRow.id).with_for_update(key_share=True))


async def _advise(session: AsyncSession, lock: str, key: int) -> None:
    if _is_postgres(session):
        await session.execute(text(f"SELECT {lock}(:key)"), {"key": key})


def _is_postgres(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"
