"""Takes alerts in: the delivery, its alerts and their incidents are committed before the webhook answers.

Alertmanager sends every alert of a group each time, and at least once: a row per (fingerprint, startsAt,
status) makes repeats harmless. Deliveries that come at once share a transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.alerts.assignment import AlertAssigner, AlertStanding
from checkpoints.alerts.correlation import IncidentRateLimit, find_correlated_incidents, find_target_aliases
from checkpoints.alerts.new_incidents import open_incidents
from checkpoints.alerts.webhook_delivery import Identity, Receipt, WebhookDelivery
from checkpoints.db.bulk import in_chunks, insert_all
from checkpoints.db.engine import Transaction
from checkpoints.db.group_commit import GroupCommit
from checkpoints.db.locks import hold_intake
from checkpoints.db.tables import AlertRow, AlertStateRow, WebhookRow
from checkpoints.queue import wakeups
from checkpoints.timeline import entries
from graph.domain.alerts.payload import AlertGroup
from tools.off_loop import answer_off_loop

_MOST_ALERTS = 500  # in one transaction
_LARGE_BYTES = 50_000  # it takes longer to look through than to hand to another thread
_STANDING = tuple(getattr(AlertStateRow, field.name) for field in fields(AlertStanding))


class Intake:
    """Accepts webhook deliveries."""

    def __init__(self, transaction: Transaction, pace: IncidentRateLimit) -> None:
        self._transaction = transaction
        self._pace = pace
        self._together = GroupCommit(self._commit, lambda delivery: len(delivery.keys), _MOST_ALERTS)

    async def accept(self, group: AlertGroup, raw: bytes) -> Receipt:
        """Commit one delivery; `raw` are its bytes as received.

        What looks like a credential is stored as `<redacted>`; the SHA-256 is that of the bytes as received.
        """
        if len(raw) > _LARGE_BYTES:
            return await self._together(await answer_off_loop(WebhookDelivery.of, group, raw))
        return await self._together(WebhookDelivery.of(group, raw))

    async def aclose(self) -> None:
        """Wait for what is being committed."""
        await self._together.aclose()

    async def _commit(self, deliveries: Sequence[WebhookDelivery]) -> Sequence[Receipt]:
        """Commit deliveries in the order they came.

        The number of queries doesn't grow with the number of alerts, but for one in some hundreds.
        """
        async with self._transaction() as session:
            await hold_intake(session)
            fingerprints = {alert.fingerprint for one in deliveries for alert in one.group.alerts}
            standings = await _find_standings(session, fingerprints)
            heard = frozenset(standings)
            begun = [alert.starts_at for one in deliveries for alert in one.group.alerts]
            known = await _find_known(session, heard, begun)  # of the others no alert is there
            before = {standing.incident_id for standing in standings.values() if standing.incident_id}
            keys = {key for one in deliveries for key in one.keys}
            elsewhere = await find_target_aliases(session, keys, self._pace)
            homes = await find_correlated_incidents(session, keys, elsewhere, self._pace, before)
            sorter = AlertAssigner(self._pace, known, standings, homes, elsewhere)
            receipts = [sorter.sort(one) for one in deliveries]
            await insert_all(session, WebhookRow, [one.values() for one in deliveries])
            await _write(session, sorter, heard)
        return receipts


async def _write(session: AsyncSession, sorter: AlertAssigner, heard: Collection[str]) -> None:
    """Write what was sorted; `heard` are the fingerprints that have a row for how they stand."""
    await open_incidents(session, sorter.openings)
    await insert_all(session, AlertRow, sorter.alerts)
    standings = [vars(standing) for standing in sorter.changed.values()]
    await insert_all(session, AlertStateRow, [one for one in standings if one["fingerprint"] not in heard])
    if changed := [one for one in standings if one["fingerprint"] in heard]:
        await session.execute(update(AlertStateRow), changed)
    await entries.append_all(session, "alert_attached", sorter.attached)
    await wakeups.wake(session, {row["incident_id"] for row in sorter.alerts if row["incident_id"]})


async def _find_known(
    session: AsyncSession, fingerprints: Collection[str], begun: Sequence[datetime]
) -> dict[Identity, str | None]:
    """Return what is there of these fingerprints since the first of the beginnings, not since ever."""
    known: dict[Identity, str | None] = {}
    columns = AlertRow.fingerprint, AlertRow.starts_at, AlertRow.status, AlertRow.incident_id
    for some in in_chunks(fingerprints):
        query = select(*columns).where(AlertRow.fingerprint.in_(some), AlertRow.starts_at >= min(begun))
        for row in await session.execute(query):
            known[row.fingerprint, row.starts_at, row.status] = row.incident_id
    return known


async def _find_standings(session: AsyncSession, fingerprints: Collection[str]) -> dict[str, AlertStanding]:
    standings: dict[str, AlertStanding] = {}
    for some in in_chunks(fingerprints):
        rows = await session.execute(select(*_STANDING).where(AlertStateRow.fingerprint.in_(some)))
        standings.update({row.fingerprint: AlertStanding(*row) for row in rows})
    return standings
