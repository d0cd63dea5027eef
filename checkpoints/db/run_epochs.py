"""Epochs: whoever takes a run over raises the incident's, and the one before can't write any more."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.tables import IncidentRow, table_of
from graph.ports import StaleRun

_INCIDENTS = table_of(IncidentRow)
# Made once, and without the unit of work: every write of a run begins with it.
_HOLD = update(_INCIDENTS).where(
    _INCIDENTS.c.id == bindparam("held_id"), _INCIDENTS.c.run_epoch == bindparam("held_epoch")
)


async def hold_run(session: AsyncSession, incident_id: str, epoch: int, **values: Any) -> None:
    """Set values of the incident if this run still holds it, and hold it until the transaction ends.

    Raises `StaleRun`. The session's rows aren't brought up to date: read them afterwards.
    """
    facts = {"held_id": incident_id, "held_epoch": epoch, "updated_at": datetime.now(UTC), **values}
    result = await session.execute(_HOLD, facts)
    if result.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        raise StaleRun(f"run {epoch} of incident {incident_id} was taken over; it stops here")
