"""What has just happened in this process, for whoever counts: told when it is committed, never before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.tables import ApprovalRow, IncidentRow
from graph.domain.incident import EntryKind

_NOTED = "milestones"
# Where a line says what came of it: a word of a closed set.
_WORDS: dict[EntryKind, str] = {
    "proposed": "", "decided": "verdict", "applied": "outcome", "verdict": "verdict", "ended": "status",
}  # fmt: skip
_TIMED: frozenset[EntryKind] = frozenset({"proposed", "decided", "verdict"})


@dataclass(frozen=True)
class Milestone:
    """One line of a timeline, without what is particular to the incident.

    `word` is the verdict, outcome or status (empty where there is none). `seconds` have passed since the
    incident was opened, of a decision since its proposal was stored; None where nobody times it.
    """

    kind: EntryKind
    word: str
    seconds: float | None


Tell = Callable[[Milestone], None]


async def note(session: AsyncSession, incident_id: str, kind: EntryKind, data: dict[str, Any]) -> None:
    """Keep a line in mind until the caller's transaction is committed, if it is one of those that count."""
    if kind not in _WORDS:
        return
    since = await _find_beginning(session, incident_id, kind, data) if kind in _TIMED else None
    seconds = None if since is None else (datetime.now(UTC) - since).total_seconds()
    word = str(data.get(_WORDS[kind], ""))
    session.info.setdefault(_NOTED, []).append(Milestone(kind, word, seconds))


def take(session: AsyncSession) -> Sequence[Milestone]:
    """Return what was noted in a session, once."""
    noted: Sequence[Milestone] = session.info.pop(_NOTED, ())
    return noted


async def _find_beginning(
    session: AsyncSession, incident_id: str, kind: EntryKind, data: dict[str, Any]
) -> datetime | None:
    if kind != "decided":
        return await session.scalar(select(IncidentRow.created_at).where(IncidentRow.id == incident_id))
    if (approval_id := data.get("approval_id")) is None:
        return None  # a retry decides about no approval
    approval = await session.get(ApprovalRow, approval_id)  # which the session has at hand
    return approval.created_at if approval else None
