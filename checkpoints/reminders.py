"""Reminders of proposals that wait for a decision: at half of their time, and shortly before it is over."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from checkpoints import timeline
from checkpoints.database import Transaction
from checkpoints.locks import hold_incidents
from checkpoints.tables import ApprovalRow

_SHORTLY = timedelta(minutes=10)
_MOST = 2
_TIMES = (
    ApprovalRow.id, ApprovalRow.incident_id, ApprovalRow.created_at, ApprovalRow.decide_by,
    ApprovalRow.reminders,
)  # fmt: skip


class Reminders:
    """Reminds, each time once: the row counts them, so that a restart or another service repeats none."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def remind(self) -> Sequence[str]:
        """Put every reminder that is due on its incident's timeline; return each as a sentence."""
        now = datetime.now(UTC)
        waiting = (
            ApprovalRow.status == "pending", ApprovalRow.decide_by > now, ApprovalRow.reminders < _MOST
        )  # fmt: skip
        async with self._transaction() as session:
            # without their proposals, which are long: this looks at all that wait, every few seconds
            rows = await session.execute(select(*_TIMES).where(*waiting))
            due = [row for row in rows if _count_due(row, now) > row.reminders]
            if not due:
                return []
            await hold_incidents(session, {row.incident_id for row in due})
            again = select(ApprovalRow).where(*waiting, ApprovalRow.id.in_([row.id for row in due]))
            sentences = []
            # once more: somebody may have decided, or reminded, while this one waited
            for row in await session.scalars(again):
                if (count := _count_due(row, now)) > row.reminders:
                    row.reminders = count
                    reason = f"nobody has decided yet; it expires at {row.decide_by:%Y-%m-%d %H:%M:%S} UTC"
                    facts = {"approval_id": row.id, "reason": reason}
                    await timeline.append(session, row.incident_id, "reminded", facts)
                    sentences.append(f"approval {row.id} of incident {row.incident_id}: {reason}")
            return sentences


def _count_due(row: Any, now: datetime) -> int:
    """Return how many of an approval's reminders should have been given by now."""
    half = row.created_at + (row.decide_by - row.created_at) / 2
    moments = [half, max(half, row.decide_by - _SHORTLY)]
    return sum(moment <= now for moment in moments)
