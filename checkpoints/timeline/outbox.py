"""The outbox: what channels are still to be told, and who delivers into each of them.

A channel is held by one process at a time, for as long as a delivery may take and a little longer; whoever
dies loses it. What is taken and never reported back is taken again: every line arrives at least once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import distinct, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_channels, hold_incidents
from checkpoints.db.tables import ChannelRow, EntryRow, IncidentRow, OutboxRow
from checkpoints.timeline import entries
from checkpoints.timeline.outbox_enqueue import find_approval
from graph.domain.notifications import Notice, Subscriber
from graph.domain.proposal import Proposal

HELD = timedelta(seconds=60)
PATIENCE = timedelta(hours=24)
_MINUTE = timedelta(minutes=1)
_MOST_FOLDED, _MOST_TOLD, _MOST_GIVEN_UP = 500, 10, 100
# What fails this often goes behind what came later: it mustn't keep everything else from arriving.
_PATIENT = 5


@dataclass(frozen=True)
class OutboxMessage:
    """What one message tells: its first notices, and how many there are in all.

    `message_id` is the same each time a single notice is sent; `failures` counts how often the channel has
    failed in a row.
    """

    message_id: str
    channel: str
    delivery_ids: tuple[str, ...]
    notices: tuple[Notice, ...]
    failures: int


@dataclass(frozen=True)
class DeadLetter:
    """A notice that its channel was never told of."""

    channel: str
    event: str
    incident_id: str
    fault: str


class Outbox:
    """Hands out what is to be delivered, and takes back how it went."""

    def __init__(self, transaction: Transaction, subscribers: Sequence[Subscriber] = ()) -> None:
        self._transaction = transaction
        self.subscribers = {one.name: one for one in subscribers}

    async def open(self) -> None:
        """Make each channel known; one that had been closed is tried again."""
        async with self._transaction() as session:
            await hold_channels(session)
            for name in sorted(self.subscribers):
                row = await session.get(ChannelRow, name)
                if row is None:
                    session.add(ChannelRow(name=name, held_by="", held_until=datetime.now(UTC)))
                else:
                    row.closed = False

    async def release(self, holder: str) -> None:
        """Let others deliver at once into what this one holds."""
        async with self._transaction() as session:
            await session.execute(
                update(ChannelRow).where(ChannelRow.held_by == holder).values(held_until=datetime.now(UTC))
            )

    async def take(self, name: str, holder: str) -> OutboxMessage | None:
        """Return the next message for a channel; None where there is nothing, or nothing may be sent now."""
        now, subscriber = datetime.now(UTC), self.subscribers[name]
        async with self._transaction() as session:
            # before anything is written: mostly there is nothing, and a write every other second isn't free
            if not await _read_waiting(session, name, now, most=1):
                return None
            failures = await _hold(session, name, holder, now)
            if failures is None:
                return None
            room = subscriber.per_minute - await _count_sent(session, name, now)
            waiting = await _read_waiting(session, name, now)
            if room <= 0 or not waiting:
                return None
            chosen = waiting if subscriber.folds and room == 1 else waiting[:1]
            for row in chosen:
                row.message_id, row.tried_at, row.attempts = chosen[0].id, now, row.attempts + 1
            notices = [await _read_notice(session, row) for row in chosen[:_MOST_TOLD]]
            ids = tuple(row.id for row in chosen)
            return OutboxMessage(chosen[0].id, name, ids, tuple(notices), failures)

    async def note_delivered(self, parcel: OutboxMessage) -> None:
        """Write down that the channel took it."""
        async with self._transaction() as session:
            await session.execute(
                update(OutboxRow)
                .where(OutboxRow.id.in_(parcel.delivery_ids))
                .values(status="delivered", done_at=datetime.now(UTC), fault="")
            )
            await session.execute(
                update(ChannelRow)
                .where(ChannelRow.name == parcel.channel)
                .values(failures=0, quiet_until=None)
            )

    async def note_failed(self, parcel: OutboxMessage, fault: str, pause: timedelta) -> None:
        """Write down that it didn't, and leave the channel alone for a while; then it gets it again."""
        async with self._transaction() as session:
            await session.execute(
                update(OutboxRow).where(OutboxRow.id.in_(parcel.delivery_ids)).values(fault=fault)
            )
            await session.execute(
                update(ChannelRow)
                .where(ChannelRow.name == parcel.channel)
                .values(failures=ChannelRow.failures + 1, quiet_until=datetime.now(UTC) + pause)
            )

    async def close(self, name: str) -> None:
        """Deliver nothing into a channel any more, until a service starts anew: its end is gone."""
        async with self._transaction() as session:
            await session.execute(update(ChannelRow).where(ChannelRow.name == name).values(closed=True))

    async def give_up(self) -> Sequence[DeadLetter]:
        """Give up what is too old, and what waits for a closed channel; its timeline says so."""
        closed = select(ChannelRow.name).where(ChannelRow.closed)
        old = OutboxRow.created_at < datetime.now(UTC) - PATIENCE
        hopeless = (
            select(OutboxRow)
            .where(OutboxRow.status == "waiting", or_(old, OutboxRow.channel.in_(closed)))
            .order_by(OutboxRow.created_at)
            .limit(_MOST_GIVEN_UP)
        )
        async with self._transaction() as session:
            found = (await session.scalars(hopeless)).all()
            if not found:
                return []
            await hold_incidents(session, {row.incident_id for row in found})
            still = select(OutboxRow).where(
                OutboxRow.id.in_([row.id for row in found]), OutboxRow.status == "waiting"
            )
            # once more: another replica may have given them up while this one waited
            rows = (await session.scalars(still.execution_options(populate_existing=True))).all()
            return [await _lose(session, row) for row in rows]


async def _hold(session: AsyncSession, name: str, holder: str, now: datetime) -> int | None:
    """Hold a channel, and return how often it has failed in a row; None where it mustn't be used now."""
    held = await session.execute(
        update(ChannelRow)
        .where(
            ChannelRow.name == name,
            ~ChannelRow.closed,
            or_(ChannelRow.held_by == holder, ChannelRow.held_until <= now),
            or_(ChannelRow.quiet_until.is_(None), ChannelRow.quiet_until <= now),
        )
        .values(held_by=holder, held_until=now + HELD)
        .returning(ChannelRow.failures)
    )
    failures: int | None = held.scalar()
    return failures


async def _count_sent(session: AsyncSession, name: str, now: datetime) -> int:
    """Return how many messages the channel was given within the last minute, whether it took them or not."""
    sent = select(func.count(distinct(OutboxRow.message_id))).where(
        OutboxRow.channel == name, OutboxRow.tried_at > now - _MINUTE
    )
    return await session.scalar(sent) or 0


async def _read_waiting(
    session: AsyncSession, name: str, now: datetime, most: int = _MOST_FOLDED
) -> Sequence[OutboxRow]:
    rows = await session.scalars(
        select(OutboxRow)
        .where(
            OutboxRow.status == "waiting",
            OutboxRow.channel == name,
            OutboxRow.created_at >= now - PATIENCE,
        )
        .order_by(OutboxRow.attempts // _PATIENT, OutboxRow.created_at, OutboxRow.id)
        .limit(most)
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def _read_notice(session: AsyncSession, row: OutboxRow) -> Notice:
    entry = await session.get_one(EntryRow, (row.incident_id, row.seq))
    incident = await session.get_one(IncidentRow, row.incident_id)
    approval = await find_approval(session, entry)
    proposal = Proposal.model_validate(approval.proposal) if approval else None
    return Notice.model_validate(
        {
            "event": row.event, "at": entry.at, "incident_id": incident.id,
            "alertname": incident.alertname, "severity": incident.severity,
            "target": proposal.target if proposal else incident.target,
            "by": entry.data.get("by") or "",
            "reason": entry.data.get("reason") or entry.data.get("detail") or "",
            "approval_id": approval and approval.id,
            "approval_status": approval and approval.status,
            "summary": proposal.summary if proposal else "",
            "diff": proposal.diff if proposal else (),
            "risk": proposal and proposal.risk,
            "risk_reasons": proposal.risk_reasons if proposal else (),
            "decide_by": approval and approval.decide_by,
        }
    )  # fmt: skip


async def _lose(session: AsyncSession, row: OutboxRow) -> DeadLetter:
    fault = row.fault or "it was never tried"
    row.status, row.done_at, row.fault = "given_up", datetime.now(UTC), fault
    facts = {"channel": row.channel, "event": row.event, "reason": fault}
    await entries.append(session, row.incident_id, "undelivered", facts)
    return DeadLetter(row.channel, row.event, row.incident_id, fault)
