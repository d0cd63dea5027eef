"""Reminders of proposals that wait for a decision: at half of their time, and shortly before it is over."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_incidents
from checkpoints.db.tables import ApprovalRow
from checkpoints.timeline import entries

_SHORTLY = timedelta(minutes=10)
_MOST = 200  # at a time: the others are due at the next one


class Reminders:
    """Reminds, each time once: the row counts them, so that a restart or another service repeats none."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def remind(self) -> Sequence[str]:
        """Put every reminder that is due on its incident's timeline; return each as a sentence."""
        now = datetime.now(UTC)
        is_due = (
            ApprovalRow.status == "pending", ApprovalRow.remind_at <= now, ApprovalRow.decide_by > now
        )  # fmt: skip
        async with self._transaction() as session:
            due = select(ApprovalRow.incident_id).where(*is_due).order_by(ApprovalRow.remind_at).limit(_MOST)
            incident_ids = (await session.scalars(due)).all()
            if not incident_ids:
                return []
            await hold_incidents(session, incident_ids)
            # once more: somebody may have decided, or reminded, while this one waited
            again = select(ApprovalRow).where(*is_due, ApprovalRow.incident_id.in_(incident_ids))
            sentences = []
            for row in (await session.scalars(again)).all():
                moments = reminder_times(row.created_at, row.decide_by)
                row.remind_at = next((moment for moment in moments if moment > now), None)
                count = sum(moment <= now for moment in moments)
                if count > row.reminders:
                    row.reminders = count
                    reason = f"nobody has decided yet; it expires at {row.decide_by:%Y-%m-%d %H:%M:%S} UTC"
                    facts = {"approval_id": row.id, "reason": reason}
                    await entries.append(session, row.incident_id, "reminded", facts)
                    sentences.append(f"approval {row.id} of incident {row.incident_id}: {reason}")
            return sentences


def reminder_times(created_at: datetime, decide_by: datetime) -> tuple[datetime, datetime]:
    """Return when the reminders of a proposal are due."""
    half = created_at + (decide_by - created_at) / 2
    return half, max(half, decide_by - _SHORTLY)
