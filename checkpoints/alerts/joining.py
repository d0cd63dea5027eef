"""Incidents that find out that another one is about the same, and leave their alerts to it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.alerts.correlation import IncidentRateLimit, find_refusing
from checkpoints.alerts.deduplication import (
    find_cluster_of,
    has_mended,
    has_told,
    has_told_row,
    may_leave,
    may_take_in,
    merge,
)
from checkpoints.alerts.new_incidents import key_of
from checkpoints.db.locks import hold_incidents, hold_intake
from checkpoints.db.run_epochs import hold_run
from checkpoints.db.tables import AlertStateRow, IncidentRow
from checkpoints.target_holder import find_holder
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target


async def take_target(  # noqa: PLR0913 -- a run, and what it has found out
    session: AsyncSession,
    pace: IncidentRateLimit,
    incident_id: str,
    epoch: int,
    *,
    target: Target,
    behind: Target | None,
) -> str | None:
    """Set what an incident is about; return the incident about the same, which has its alerts now, or None.

    That is an open one. Where the labels named something else, it may also be one that has left the target
    to people within the cool-down, or one after which the target gets no other incident yet, as if the alerts
    had come under the right name. And it may be one that is changing the workload `behind` the target, or did
    so after the alerts had begun.
    """
    await hold_intake(session)
    row = await session.get_one(IncidentRow, incident_id)
    key = key_of(target, find_cluster_of(row))
    refusing = await find_refusing(session, key, pace) if key != row.target_key else None
    past = [IncidentRow.id == refusing] if refusing else []
    holder = await find_holder(session, incident_id, key, *past, *_list_past(row, key, pace, behind))
    await hold_run(session, incident_id, epoch, target=target.model_dump(), target_key=key)
    await session.refresh(row)
    if holder and await may_leave(session, row, epoch):
        if holder.id == refusing and not has_told_row(holder):
            await _leave_for_later(session, incident_id)
        await merge(session, row, holder)
    return row.duplicate_of


async def _leave_for_later(session: AsyncSession, incident_id: str) -> None:
    """Let an incident's alerts count as later than the end that they are kept behind.

    Nobody has been told of them there. Once the target may have another incident, they get it.
    """
    states = update(AlertStateRow).where(AlertStateRow.incident_id == incident_id)
    await session.execute(states.values(since=datetime.now(UTC)))


def _list_past(
    row: IncidentRow, key: str, pace: IncidentRateLimit, behind: Target | None
) -> Sequence[ColumnElement[bool]]:
    """Return which other incidents may have an incident's alerts than open ones about its target."""
    since = min(row.created_at, datetime.now(UTC) - pace.cool_down)
    told = [has_told(key, since)] if key != row.target_key else []
    if behind is None:
        return told
    # what is said to begin later than it came began when it came
    began_at = min(AlertGroup.model_validate(row.group).first_fired_at(), row.created_at)
    return [*told, has_mended(key_of(behind, find_cluster_of(row)), since, began_at)]


async def join_other(session: AsyncSession, incident_id: str, epoch: int, other_id: str) -> bool:
    """Leave an incident's alerts to another open one that asks for the same; say whether that was done.

    It isn't where something was approved or written under this incident, where the other has just ended, or
    where their alerts come from two clusters.
    """
    await hold_intake(session)
    await hold_incidents(session, {incident_id, other_id})
    await hold_run(session, incident_id, epoch)
    row = await session.get_one(IncidentRow, incident_id)
    other = await session.get_one(IncidentRow, other_id)
    if row.duplicate_of is None and may_take_in(row, other) and await may_leave(session, row, epoch):
        await merge(session, row, other)
    return row.duplicate_of == other_id  # perhaps since before a crash
