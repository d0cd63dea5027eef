"""What is kept how long: checkpoints, tool answers, webhook bodies and deliveries go; the record stays.

Nothing is taken from an incident that may still run: one that hasn't ended, one that failed and can be
retried, one whose execution a person has yet to settle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Executable, bindparam, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.engine import Transaction
from checkpoints.db.locks import try_retention
from checkpoints.db.tables import ApprovalRow, EvidenceRow, IncidentRow, OutboxRow, WebhookRow
from checkpoints.savers.opening import TABLES
from graph.domain.incident import ACTIVE

_KEPT = (*ACTIVE, "failed")


@dataclass(frozen=True)
class Keep:
    """How long each is kept: after the incident's end, a webhook's body after its receipt.

    What was delivered to a channel is kept as long as what Alertmanager delivered.
    """

    checkpoints: timedelta
    evidence: timedelta
    webhooks: timedelta


@dataclass(frozen=True)
class Cleared:
    """How much one batch took away: incidents' checkpoints, tool answers, webhook bodies, deliveries."""

    checkpoints: int = 0
    evidence: int = 0
    webhooks: int = 0
    deliveries: int = 0

    def __bool__(self) -> bool:
        """Whether there may be more."""
        return bool(self.checkpoints or self.evidence or self.webhooks or self.deliveries)


class Retention:
    """Deletes what has been kept long enough, `batch` incidents or webhooks at a time."""

    def __init__(self, transaction: Transaction, batch: int = 50) -> None:
        self._transaction = transaction
        self._batch = batch

    async def clear(self, keep: Keep) -> Cleared:
        """Delete one batch; nothing where another replica is at it."""
        now = datetime.now(UTC)
        async with self._transaction() as session:
            if not await try_retention(session):
                return Cleared()
            return Cleared(
                checkpoints=await self._clear_checkpoints(session, now - keep.checkpoints, now),
                evidence=await self._clear_evidence(session, now - keep.evidence, now),
                webhooks=await self._clear_webhooks(session, now - keep.webhooks),
                deliveries=await self._clear_deliveries(session, now - keep.webhooks),
            )

    async def _clear_checkpoints(self, session: AsyncSession, before: datetime, now: datetime) -> int:
        rows = (
            await session.scalars(
                select(IncidentRow)
                .where(_is_over(before), IncidentRow.cleared_at.is_(None))
                .limit(self._batch)
            )
        ).all()
        threads = [f"{row.id}.{number}" for row in rows for number in range(1, row.thread + 1)]
        for table in TABLES[session.get_bind().dialect.name] if threads else ():
            emptying = text(f"DELETE FROM {table} WHERE thread_id IN :threads")  # noqa: S608 -- names of ours
            await session.execute(
                emptying.bindparams(bindparam("threads", expanding=True)), {"threads": threads}
            )
        for row in rows:
            row.cleared_at = now
        return len(rows)

    async def _clear_evidence(self, session: AsyncSession, before: datetime, now: datetime) -> int:
        incident_ids = await session.scalars(
            select(EvidenceRow.incident_id)
            .join(IncidentRow, IncidentRow.id == EvidenceRow.incident_id)
            .where(_is_over(before), EvidenceRow.deleted_at.is_(None))
            .distinct()
            .limit(self._batch)
        )
        return await _count(
            session,
            update(EvidenceRow)
            .where(EvidenceRow.incident_id.in_(incident_ids.all()), EvidenceRow.deleted_at.is_(None))
            .values(text="", deleted_at=now)
            .returning(EvidenceRow.number),
        )

    async def _clear_webhooks(self, session: AsyncSession, before: datetime) -> int:
        old = (
            select(WebhookRow.id)
            .where(WebhookRow.received_at < before, func.length(WebhookRow.body) > 0)
            .limit(self._batch)
        )
        ids: Sequence[str] = (await session.scalars(old)).all()
        emptied = update(WebhookRow).where(WebhookRow.id.in_(ids)).values(body=b"").returning(WebhookRow.id)
        return await _count(session, emptied)

    async def _clear_deliveries(self, session: AsyncSession, before: datetime) -> int:
        old = select(OutboxRow.id).where(OutboxRow.done_at < before).limit(self._batch)
        ids: Sequence[str] = (await session.scalars(old)).all()
        return await _count(session, delete(OutboxRow).where(OutboxRow.id.in_(ids)).returning(OutboxRow.id))


def _is_over(before: datetime) -> ColumnElement[bool]:
    """Return the SQL condition "the incident ended before that, and nothing can set it going again"."""
    unsettled = (
        select(1).where(ApprovalRow.incident_id == IncidentRow.id, ApprovalRow.status == "unknown").exists()
    )
    return IncidentRow.status.not_in(_KEPT) & (IncidentRow.updated_at < before) & ~unsettled


async def _count(session: AsyncSession, statement: Executable) -> int:
    return len((await session.execute(statement)).all())
