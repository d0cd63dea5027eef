"""Alerts that fire on behind the end of their incident: once its cool-down is over, they get a new one.

Alertmanager repeats what still fires after hours only, so that nobody else would notice in time.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from checkpoints.alerts.correlation import (
    CorrelatedIncident,
    IncidentRateLimit,
    find_correlated_incidents,
    find_target_aliases,
)
from checkpoints.alerts.new_incidents import draft_incident, open_incidents
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_intake
from checkpoints.db.tables import AlertRow, AlertStateRow, IncidentRow
from checkpoints.queue import wakeups
from checkpoints.timeline import entries
from graph.domain.alerts.payload import Alert, AlertGroup
from graph.domain.incident import ACTIVE

# After the other ends somebody has been told about the alert as it was: only what came later counts.
_REPAIRED = ("resolved", "withdrawn")


class Recurrence:
    """Opens incidents about alerts that outlived the last one."""

    def __init__(self, transaction: Transaction, pace: IncidentRateLimit) -> None:
        self._transaction = transaction
        self._pace = pace

    async def open_again(self) -> Sequence[str]:
        """Open an incident for each target whose time has come; return the incidents that have new alerts."""
        async with self._transaction.reading() as session:
            if not await self._find_left(session):
                return []
        async with self._transaction() as session:
            await hold_intake(session)
            left = await self._find_left(session)
            before = {state.incident_id for states in left.values() for state in states if state.incident_id}
            elsewhere = await find_target_aliases(session, left, self._pace)
            homes = await find_correlated_incidents(session, left, elsewhere, self._pace, before)
            found = [await self._move(session, states, homes.get(key)) for key, states in left.items()]
            opened = [incident_id for incident_id in found if incident_id]
            await wakeups.wake(session, opened)
            return opened

    async def _find_left(self, session: AsyncSession) -> Mapping[str, Sequence[AlertStateRow]]:
        """Return by target what fires and belongs to an incident that has ended long enough ago."""
        outlived = (
            IncidentRow.status.in_(_REPAIRED)
            | (AlertStateRow.since > IncidentRow.updated_at)
            | _waits_for_a_repair()
        )
        rows = await session.scalars(
            select(AlertStateRow)
            .join(IncidentRow, AlertStateRow.incident_id == IncidentRow.id)
            .where(
                AlertStateRow.status == "firing",
                IncidentRow.status.not_in(ACTIVE),
                IncidentRow.updated_at <= datetime.now(UTC) - self._pace.cool_down,
                outlived,
            )
            .order_by(AlertStateRow.starts_at)
        )
        left: dict[str, list[AlertStateRow]] = {}
        for row in rows:
            left.setdefault(row.target_key, []).append(row)
        return left

    async def _move(
        self, session: AsyncSession, states: Sequence[AlertStateRow], home: CorrelatedIncident | None
    ) -> str | None:
        """Move alerts of one target to its open incident, or to a new one; None where none may be opened."""
        if home and home.is_open:
            incident_id = home.incident_id
        elif home and home.refuse_another(self._pace):
            return None
        else:
            incident_id = await _open(session, states)
        for state in states:
            note = {"note": f"it still fires after the cool-down: incident {incident_id}"}
            assert state.incident_id is not None, "they were found by their incident"
            await entries.append(
                session, state.incident_id, "alert_attached", {"fingerprint": state.fingerprint, **note}
            )
        await _attach(session, states, incident_id)
        return incident_id


def _waits_for_a_repair() -> ColumnElement[bool]:
    """Return the condition for an alert that joined only because the workload behind its object was changed.

    It was about its own object, and merged before that was analyzed: whatever the other incident has told
    people was about something else.
    """
    merged = aliased(IncidentRow)
    return exists().where(
        merged.target_key == AlertStateRow.target_key,
        merged.target_key != IncidentRow.target_key,
        merged.duplicate_of == IncidentRow.id,
        merged.diagnosis.is_(None),
    )


async def _attach(session: AsyncSession, states: Sequence[AlertStateRow], incident_id: str) -> None:
    """Let alerts belong to another incident from now on."""
    for state in states:
        await session.execute(
            update(AlertRow)
            .where(
                AlertRow.fingerprint == state.fingerprint,
                AlertRow.starts_at == state.starts_at,
                AlertRow.incident_id == state.incident_id,
            )
            .values(incident_id=incident_id)
        )
        state.incident_id, state.since = incident_id, datetime.now(UTC)
    await session.flush()


async def _open(session: AsyncSession, states: Sequence[AlertStateRow]) -> str:
    alerts = [await _read(session, state) for state in states]
    before = await session.get_one(IncidentRow, states[0].incident_id)
    group = AlertGroup.model_validate(before.group | {"alerts": [alerts[0].model_dump(mode="json")]})
    opening = draft_incident(group, alerts[0], alerts)
    await open_incidents(session, [opening])
    return opening.id


async def _read(session: AsyncSession, state: AlertStateRow) -> Alert:
    row = await session.get_one(AlertRow, (state.fingerprint, state.starts_at, "firing"))
    return Alert.model_validate(row.body)
