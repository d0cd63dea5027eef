"""Timelines: what happened to an incident, line by line, in the order it was committed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.bulk import in_chunks, insert_all
from checkpoints.db.tables import EntryRow, table_of
from checkpoints.timeline import after_commit, outbox_enqueue
from graph.domain.incident import Entry, EntryKind
from graph.domain.notifications import find_event
from tools.redaction.redactor import redact

_TIMELINE = table_of(EntryRow)
_NEXT = (
    select(func.coalesce(func.max(EntryRow.seq), 0) + 1)
    .where(EntryRow.incident_id == bindparam("incident_id"))
    .scalar_subquery()
)
# Made once, and without the unit of work: no other statement is run as often.
_APPEND = (
    insert(_TIMELINE)
    .values(
        incident_id=bindparam("incident_id"),
        seq=_NEXT,
        at=bindparam("at"),
        kind=bindparam("kind"),
        data=bindparam("data"),
    )
    .returning(_TIMELINE.c.seq)
)


async def append(session: AsyncSession, incident_id: str, kind: EntryKind, data: dict[str, Any]) -> None:
    """Append one line, in the caller's transaction; channels that want to hear of such are told.

    Secrets don't get into it, whatever it is made from: the live streams and the report are made from lines.
    """
    data = redact(data)
    facts = {"incident_id": incident_id, "at": datetime.now(UTC), "kind": kind, "data": data}
    await session.flush()  # what was changed before stands before
    seq = await session.scalar(_APPEND, facts)
    await after_commit.note(session, incident_id, kind, data)
    await outbox_enqueue.enqueue(session, EntryRow(**facts, seq=seq), find_event(kind, data))


async def append_all(
    session: AsyncSession, kind: EntryKind, lines: Sequence[tuple[str, dict[str, Any]]]
) -> None:
    """Append lines to several incidents, given with their ids, in the caller's transaction."""
    ids = {incident_id for incident_id, _ in lines}
    last: dict[str, int] = {}
    for some in in_chunks(ids):
        found = await session.execute(
            select(EntryRow.incident_id, func.max(EntryRow.seq))
            .where(EntryRow.incident_id.in_(some))
            .group_by(EntryRow.incident_id)
        )
        last.update((incident_id, seq) for incident_id, seq in found)
    rows = []
    for incident_id, data in lines:
        last[incident_id] = last.get(incident_id, 0) + 1
        rows.append(line(incident_id, last[incident_id], kind, data))
    await insert_all(session, EntryRow, rows)


def line(incident_id: str, seq: int, kind: EntryKind, data: dict[str, Any]) -> dict[str, Any]:
    """Return the values of one line's row."""
    return {"incident_id": incident_id, "seq": seq, "at": datetime.now(UTC), "kind": kind, "data": data}


async def read(session: AsyncSession, incident_id: str, *, after: int = 0) -> Sequence[Entry]:
    """Return the lines after `after`, oldest first."""
    rows = await session.scalars(
        select(EntryRow)
        .where(EntryRow.incident_id == incident_id, EntryRow.seq > after)
        .order_by(EntryRow.seq)
    )
    return [Entry.model_validate(row, from_attributes=True) for row in rows]
