"""Homes: the incident that each target's alerts belong to, and whether a firing alert may open another one.

A target's key comes from an alert's labels. Where a run has found out that an object of another name is
behind it, the alerts that went before it lead the way: they belong to that incident now.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from checkpoints.db.bulk import in_chunks
from checkpoints.db.locks import hold_incidents
from checkpoints.db.tables import AlertStateRow, IncidentRow
from graph.cluster.behind import FRONTS
from graph.domain.incident import ACTIVE

_HOUR = timedelta(hours=1)
_COLUMNS = (
    IncidentRow.id,
    IncidentRow.target_key,
    IncidentRow.status,
    IncidentRow.created_at,
    IncidentRow.updated_at,
)


@dataclass(frozen=True)
class IncidentRateLimit:
    """How soon after an incident's end, and how often, the same target may get another one."""

    cool_down: timedelta = timedelta(minutes=15)
    runs_per_hour: int = 3


@dataclass(frozen=True)
class _Sketch:
    """As much of an incident as is needed to choose among many."""

    id: str
    target_key: str
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class CorrelatedIncident:
    """The incident about a target: the open one, else the newest. `runs` counts the target's last hour."""

    incident_id: str
    is_open: bool
    ended_at: datetime
    runs: int

    def refuse_another(self, pace: IncidentRateLimit) -> str | None:
        """Say why no other incident may be opened now that this one has ended; None if one may."""
        if (over := self.ended_at + pace.cool_down) > datetime.now(UTC):
            return f"the incident has just ended: no new one before {over:%Y-%m-%d %H:%M:%S} UTC"
        if self.runs >= pace.runs_per_hour:
            return f"the target had {self.runs} incidents within an hour: no new one for now"
        return None


async def find_target_aliases(
    session: AsyncSession, keys: Collection[str], pace: IncidentRateLimit
) -> Mapping[str, str]:
    """Return the keys whose alerts belong to an incident about a target of another name, with that name.

    An object that a workload is behind may be at fault itself the next time: its alerts follow those before
    them into an open incident, and into one whose target gets no other one yet.
    """
    found = {}
    for some in in_chunks(keys):
        rows = await session.execute(
            select(
                AlertStateRow.target_key,
                IncidentRow.target_key.label("real"),
                or_(IncidentRow.status.in_(ACTIVE), _may_still_hold(pace)).label("leads"),
            )
            .join(IncidentRow, AlertStateRow.incident_id == IncidentRow.id)
            .where(AlertStateRow.target_key.in_(some), IncidentRow.target_key != AlertStateRow.target_key)
            .order_by(AlertStateRow.since)
        )
        found.update({
            row.target_key: row.real for row in rows if row.leads or not _is_front(row.target_key)
        })  # fmt: skip
    return found


def _may_still_hold(pace: IncidentRateLimit) -> ColumnElement[bool]:
    """Return the condition for an ended incident that has an alert because its target gets no other one yet.

    The cluster was asked since its end, and led to that target. Once another incident about it is open, it is
    asked again: the alert's own object may be at fault by then.
    """
    other, merged = aliased(IncidentRow), aliased(IncidentRow)
    is_open_again = exists().where(
        other.target_key == IncidentRow.target_key, other.status.in_(ACTIVE), other.duplicate_of.is_(None)
    )
    was_led_to = exists().where(
        merged.target_key == IncidentRow.target_key,
        merged.duplicate_of == IncidentRow.id,
        merged.created_at > IncidentRow.updated_at,
    )
    came_after = AlertStateRow.since > IncidentRow.updated_at
    return came_after & _is_recent(pace) & was_led_to & ~is_open_again


def _is_front(key: str) -> bool:
    return key.partition(":")[0] in FRONTS


async def find_correlated_incidents(
    session: AsyncSession,
    keys: Collection[str],
    elsewhere: Mapping[str, str],
    pace: IncidentRateLimit,
    others: Collection[str] = (),
) -> dict[str, CorrelatedIncident]:
    """Return the incident of each key that has an open one, or one too recent for another.

    Where there is none, it may be at the key that the same one has in `elsewhere`. They and `others` are held
    until the transaction ends.
    """
    newest = await _find_newest(session, {*keys, *elsewhere.values()}, pace)
    ids = {
        key: best.id for key in keys if (best := _better(newest.get(key), newest.get(elsewhere.get(key, ""))))
    }
    await hold_incidents(session, {*ids.values(), *others})
    # once more: one may have ended while this transaction waited
    found = {row.id: row for row in await _read(session, IncidentRow.id, set(ids.values()))}
    runs = await _count_runs(session, {row.target_key for row in found.values()})
    return {key: _home(found[incident_id], runs) for key, incident_id in ids.items()}


async def find_refusing(session: AsyncSession, key: str, pace: IncidentRateLimit) -> str | None:
    """Return the ended incident after which its target gets no other one yet; None if it may get one.

    It isn't held: it comes before the locks, which are taken together.
    """
    newest = (await _find_newest(session, {key}, pace)).get(key)
    if newest is None or newest.status in ACTIVE:
        return None
    runs = await _count_runs(session, {key})
    return newest.id if _home(newest, runs).refuse_another(pace) else None


def _home(row: _Sketch, runs: Mapping[str, int]) -> CorrelatedIncident:
    return CorrelatedIncident(row.id, row.status in ACTIVE, row.updated_at, runs.get(row.target_key, 0))


def _better(one: _Sketch | None, other: _Sketch | None) -> _Sketch | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda row: (row.status in ACTIVE, row.created_at, row.id))


async def _find_newest(
    session: AsyncSession, keys: Collection[str], pace: IncidentRateLimit
) -> dict[str, _Sketch]:
    """Return the newest incident of each key, of those only that may keep another one from being opened."""
    counts = IncidentRow.status.in_(ACTIVE) | _is_recent(pace)
    newest: dict[str, _Sketch] = {}
    for row in await _read(session, IncidentRow.target_key, keys, counts):
        newest[row.target_key] = _better(newest.get(row.target_key), row) or row
    return newest


def _is_recent(pace: IncidentRateLimit) -> ColumnElement[bool]:
    now = datetime.now(UTC)
    return (IncidentRow.updated_at > now - pace.cool_down) | (IncidentRow.created_at > now - _HOUR)


async def _read(
    session: AsyncSession,
    column: InstrumentedAttribute[str],
    values: Collection[str],
    *conditions: ColumnElement[bool],
) -> list[_Sketch]:
    found: list[_Sketch] = []
    for some in in_chunks(values):
        query = select(*_COLUMNS).where(column.in_(some), IncidentRow.duplicate_of.is_(None), *conditions)
        found += [_Sketch(*row) for row in await session.execute(query)]
    return found


async def _count_runs(session: AsyncSession, keys: Collection[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for some in in_chunks(keys):
        rows = await session.execute(
            select(IncidentRow.target_key, func.count())
            .where(
                IncidentRow.target_key.in_(some),
                IncidentRow.duplicate_of.is_(None),
                IncidentRow.created_at > datetime.now(UTC) - _HOUR,
            )
            .group_by(IncidentRow.target_key)
        )
        counts.update((key, count) for key, count in rows)
    return counts
