"""Takes alerts in: the delivery, its alerts and their incidents are committed before the webhook answers.

Alertmanager sends every alert of a group each time, and at least once: a row per (fingerprint, startsAt,
status) makes repeats harmless. There is one open incident per target; further alerts attach to it.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints import timeline, wakeups
from checkpoints.database import Transaction
from checkpoints.locks import hold_intake
from checkpoints.storable import cut, make_storable
from checkpoints.tables import AlertRow, EntryRow, IncidentRow, WebhookRow
from graph.alerts import Alert, AlertGroup
from graph.identifiers import new_id
from graph.incident import ACTIVE
from graph.targets import find_target
from tools.redaction import redact

_PARAMETERS = 500
_KEY_CHARACTERS = 600
_Identity = tuple[str, datetime, str]


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
        """Commit one delivery; `raw` are its bytes as received.

        What looks like a credential is stored as `<redacted>`; the SHA-256 is that of the bytes as received.
        The number of queries doesn't grow with the number of alerts, but for one in some hundreds.
        """
        document = make_storable(redact(group.model_dump(mode="json")))
        group = AlertGroup.model_validate(document)
        async with self._transaction() as session:
            await hold_intake(session)
            webhook = WebhookRow(
                id=new_id("whk"),
                received_at=datetime.now(UTC),
                sha256=hashlib.sha256(raw).hexdigest(),
                body=json.dumps(document, ensure_ascii=False).encode(),
            )
            session.add(webhook)
            delivery = _Delivery(
                group,
                webhook.id,
                known=await _find_known(session, group),
                current=await _find_current(session, {target_key(alert) for alert in group.alerts}),
            )
            delivery.sort()
            session.add_all(delivery.incidents)
            await session.flush()  # before the rows that refer to them
            session.add_all([*delivery.entries, *delivery.alerts])
            await wakeups.wake(session, {row.incident_id for row in delivery.alerts if row.incident_id})
        return delivery.receipt()


class _Delivery:
    """One delivery being sorted into incidents.

    `known` maps the alerts that are in the ledger already to their incidents, `current` the targets to their
    open incidents.
    """

    def __init__(
        self,
        group: AlertGroup,
        webhook_id: str,
        *,
        known: dict[_Identity, str | None],
        current: dict[str, str],
    ) -> None:
        self.incidents: list[IncidentRow] = []
        self.entries: list[EntryRow] = []
        self.alerts: list[AlertRow] = []
        self._group = group
        self._webhook_id = webhook_id
        self._known = known
        self._current = current
        self._firing: dict[str, list[Alert]] = {}
        for alert in group.alerts:
            if alert.status == "firing":
                self._firing.setdefault(target_key(alert), []).append(alert)

    def sort(self) -> None:
        """Give every new alert a row, and an incident where one is open or has to be opened."""
        for alert in self._group.alerts:
            if _identify(alert) not in self._known:
                self._add(alert)

    def receipt(self) -> Receipt:
        """Return what became of the delivery."""
        attached = (self._known[_identify(alert)] for alert in self._group.alerts)
        return Receipt(
            incident_ids=tuple(dict.fromkeys(incident_id for incident_id in attached if incident_id)),
            new_alerts=len(self.alerts),
            known_alerts=len(self._group.alerts) - len(self.alerts),
        )

    def _add(self, alert: Alert) -> None:
        key = target_key(alert)
        if key not in self._current and alert.status == "firing":  # a resolved alert never opens one
            incident, entry = make_incident(self._group, alert, self._firing[key])
            self.incidents.append(incident)
            self.entries.append(entry)
            self._current[key] = incident.id
        incident_id = self._current.get(key)
        self._known[_identify(alert)] = incident_id
        self.alerts.append(
            AlertRow(
                fingerprint=alert.fingerprint,
                starts_at=alert.starts_at,
                status=alert.status,
                webhook_id=self._webhook_id,
                incident_id=incident_id,
                body=alert.model_dump(mode="json"),
                received_at=datetime.now(UTC),
            )
        )


def make_incident(group: AlertGroup, alert: Alert, alerts: Sequence[Alert]) -> tuple[IncidentRow, EntryRow]:
    """Return a new incident about an alert and those that share its target, and its timeline's first line."""
    now = datetime.now(UTC)
    target = find_target(alert)
    incident = IncidentRow(
        id=new_id("inc"), status="open", alertname=cut(alert.name, 255),
        severity=cut(alert.labels.get("severity", "none"), 64), target_key=target_key(alert),
        target=target.model_dump() if target else None,
        group=group.model_copy(update={"alerts": tuple(alerts)}).model_dump(mode="json"),
        created_at=now, updated_at=now,
    )  # fmt: skip
    facts = {
        "alertname": alert.name,
        "alerts": len(alerts),
        "receiver": group.receiver,
        "target": str(target or ""),
    }
    return incident, timeline.begin(incident.id, "alert_received", facts)


def target_key(alert: Alert) -> str:
    """Return what an open incident is unique by: the alert's target, else its rule and namespace."""
    target = find_target(alert)
    if target is None:
        return _bound(f"alert:{alert.namespace or '-'}/{alert.name}")
    return _bound(f"{target.kind}:{target.namespace or '-'}/{target.name}")


def _bound(key: str) -> str:
    """Return a key that fits its column and still differs from every other: a hash stands for its end."""
    if len(key) <= _KEY_CHARACTERS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: _KEY_CHARACTERS - len(digest) - 1]}#{digest}"


def _identify(alert: Alert) -> _Identity:
    return alert.fingerprint, alert.starts_at.astimezone(UTC), alert.status


async def _find_known(session: AsyncSession, group: AlertGroup) -> dict[_Identity, str | None]:
    fingerprints = {alert.fingerprint for alert in group.alerts}
    known: dict[_Identity, str | None] = {}
    for some in _in_chunks(fingerprints):
        columns = AlertRow.fingerprint, AlertRow.starts_at, AlertRow.status, AlertRow.incident_id
        for row in await session.execute(select(*columns).where(AlertRow.fingerprint.in_(some))):
            known[row.fingerprint, row.starts_at, row.status] = row.incident_id
    return known


async def _find_current(session: AsyncSession, keys: set[str]) -> dict[str, str]:
    current: dict[str, str] = {}
    for some in _in_chunks(keys):
        rows = await session.execute(
            select(IncidentRow.target_key, IncidentRow.id)
            .where(IncidentRow.target_key.in_(some), IncidentRow.status.in_(ACTIVE))
            .order_by(IncidentRow.created_at)
        )
        current.update({row.target_key: row.id for row in rows})
    return current


def _in_chunks(names: set[str]) -> Iterator[list[str]]:
    """Split a set: databases bound the number of a statement's parameters."""
    ordered = sorted(names)
    return (ordered[start : start + _PARAMETERS] for start in range(0, len(ordered), _PARAMETERS))
