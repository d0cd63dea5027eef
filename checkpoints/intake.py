"""Takes alerts in: the delivery, its alerts and their incidents are committed before the webhook answers.

Alertmanager sends every alert of a group each time, and at least once: a row per (fingerprint, startsAt,
status) makes repeats harmless. There is one open incident per target; further alerts attach to it.
"""

import hashlib
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints import timeline
from checkpoints.database import Transaction
from checkpoints.tables import AlertRow, IncidentRow, WebhookRow
from graph.alerts import Alert, AlertGroup
from graph.identifiers import new_id
from graph.incident import ACTIVE
from graph.targets import find_target


class Receipt(BaseModel):
    """What became of one delivery: the incidents its alerts belong to, and how many alerts were new."""

    model_config = ConfigDict(frozen=True)

    incident_ids: tuple[str, ...]
    new_alerts: int
    known_alerts: int


class Intake:
    """Accepts webhook deliveries."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def accept(self, group: AlertGroup, raw: bytes) -> Receipt:
        """Commit one delivery; `raw` are its bytes as received."""
        now = datetime.now(UTC)
        async with self._transaction() as session:
            webhook = WebhookRow(
                id=new_id("whk"), received_at=now, sha256=hashlib.sha256(raw).hexdigest(), body=raw
            )
            session.add(webhook)
            await session.flush()
            incident_ids: dict[str, None] = {}
            new = 0
            for alert in group.alerts:
                row = await _find(session, alert)
                if row is None:
                    row = await self._add(session, alert, group, webhook.id)
                    new += 1
                if row.incident_id:
                    incident_ids[row.incident_id] = None
        return Receipt(incident_ids=tuple(incident_ids), new_alerts=new, known_alerts=len(group.alerts) - new)

    async def _add(self, session: AsyncSession, alert: Alert, group: AlertGroup, webhook: str) -> AlertRow:
        row = AlertRow(
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at,
            status=alert.status,
            webhook_id=webhook,
            incident_id=await self._incident_for(session, alert, group),
            body=alert.model_dump(mode="json"),
            received_at=datetime.now(UTC),
        )
        session.add(row)
        await session.flush()
        return row

    async def _incident_for(self, session: AsyncSession, alert: Alert, group: AlertGroup) -> str | None:
        """Return the incident the alert belongs to; a resolved alert never opens one."""
        key = target_key(alert)
        current = await session.scalar(
            select(IncidentRow.id)
            .where(IncidentRow.target_key == key, IncidentRow.status.in_(ACTIVE))
            .order_by(IncidentRow.created_at.desc())
            .limit(1)
        )
        if current or alert.status == "resolved":
            return current
        return await _open_incident(session, key, alert, group)


def target_key(alert: Alert) -> str:
    """Return what an open incident is unique by: the alert's target, else its rule and namespace."""
    target = find_target(alert)
    if target is None:
        return f"alert:{alert.namespace or '-'}/{alert.name}"
    return f"{target.kind}:{target.namespace or '-'}/{target.name}"


async def _find(session: AsyncSession, alert: Alert) -> AlertRow | None:
    return await session.get(AlertRow, (alert.fingerprint, alert.starts_at, alert.status))


async def _open_incident(session: AsyncSession, key: str, alert: Alert, group: AlertGroup) -> str:
    now = datetime.now(UTC)
    mine = tuple(other for other in group.alerts if other.status == "firing" and target_key(other) == key)
    target = find_target(alert)
    incident = IncidentRow(
        id=new_id("inc"), status="open", alertname=alert.name,
        severity=alert.labels.get("severity", "none"), target_key=key,
        target=target.model_dump() if target else None,
        group=group.model_copy(update={"alerts": mine}).model_dump(mode="json"),
        created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(incident)
    await session.flush()
    await timeline.append(
        session,
        incident.id,
        "alert_received",
        {
            "alertname": alert.name,
            "alerts": len(mine),
            "receiver": group.receiver,
            "target": str(target or ""),
        },
    )
    return incident.id
