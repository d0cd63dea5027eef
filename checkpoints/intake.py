"""Takes alerts in: the delivery, its alerts and their incidents are committed before the webhook answers.

Alertmanager sends every alert of a group each time, and at least once: a row per (fingerprint, startsAt,
status) makes repeats harmless. There is one open incident per target; further alerts attach to it. How an
alert stands is the last word about it, so that one that fires again under an old startsAt isn't overlooked.
"""

import hashlib
import json
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints import timeline, wakeups
from checkpoints.chunks import in_chunks
from checkpoints.database import Transaction
from checkpoints.homes import Home, Pace, find_homes
from checkpoints.locks import hold_intake
from checkpoints.opening import make_incident, target_key
from checkpoints.storable import make_storable
from checkpoints.tables import AlertRow, AlertStateRow, EntryRow, IncidentRow, WebhookRow
from graph.alerts import Alert, AlertGroup
from graph.identifiers import new_id
from tools.redaction import redact

_Identity = tuple[str, datetime, str]


class Receipt(BaseModel):
    """What became of one delivery: the incidents its alerts belong to, and how many alerts were new."""

    model_config = ConfigDict(frozen=True)

    incident_ids: tuple[str, ...]
    new_alerts: int
    known_alerts: int


class Intake:
    """Accepts webhook deliveries."""

    def __init__(self, transaction: Transaction, pace: Pace) -> None:
        self._transaction = transaction
        self._pace = pace

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
            states = await _find_states(session, group)
            keys = {target_key(alert) for alert in group.alerts}
            before = {row.incident_id for row in states.values() if row.incident_id}
            delivery = _Delivery(
                group,
                webhook.id,
                self._pace,
                known=await _find_known(session, group),
                states=states,
                homes=await find_homes(session, keys, before),
            )
            delivery.sort()
            session.add_all(delivery.incidents)
            await session.flush()  # before the rows that refer to them
            session.add_all([*delivery.begun, *delivery.alerts, *delivery.states.values()])
            await session.flush()
            await timeline.append_all(session, "alert_attached", delivery.attached)
            await wakeups.wake(session, {row.incident_id for row in delivery.alerts if row.incident_id})
        return delivery.receipt()


class _Delivery:
    """One delivery being sorted into incidents.

    `known` maps the alerts that are in the ledger already to their incidents; `states` says how each
    fingerprint stands, `homes` which incident each target has.
    """

    def __init__(  # noqa: PLR0913 -- all that is known about a delivery, by name
        self,
        group: AlertGroup,
        webhook_id: str,
        pace: Pace,
        *,
        known: dict[_Identity, str | None],
        states: dict[str, AlertStateRow],
        homes: dict[str, Home],
    ) -> None:
        self.states = states
        self.incidents: list[IncidentRow] = []
        self.begun: list[EntryRow] = []
        self.alerts: list[AlertRow] = []
        self.attached: list[tuple[str, dict[str, object]]] = []
        self._group = group
        self._webhook_id = webhook_id
        self._pace = pace
        self._known = known
        self._homes = homes
        self._opened: dict[str, str] = {}
        self._new: set[str | None] = set()
        self._now = datetime.now(UTC)
        self._firing: dict[str, list[Alert]] = {}
        for alert in group.alerts:
            if alert.status == "firing":
                self._firing.setdefault(target_key(alert), []).append(alert)

    def sort(self) -> None:
        """Give every new alert a row, and an incident where one is open or has to be opened."""
        for alert in self._group.alerts:
            if _identify(alert) in self._known:
                self._hear_again(alert)
            else:
                self._add(alert)

    def receipt(self) -> Receipt:
        """Return what became of the delivery."""
        attached = (self._known[_identify(alert)] for alert in self._group.alerts)
        return Receipt(
            incident_ids=tuple(dict.fromkeys(incident_id for incident_id in attached if incident_id)),
            new_alerts=len(self.alerts),
            known_alerts=len(self._group.alerts) - len(self.alerts),
        )

    def _hear_again(self, alert: Alert) -> None:
        """Take a known alert's word where it differs from the last one: it fires, or has ended, once more."""
        state = self.states.get(alert.fingerprint)
        if state and state.status != alert.status and _update(state, alert, state.incident_id, self._now):
            self._note(state.incident_id, alert, f"{alert.status} again")

    def _add(self, alert: Alert) -> None:
        incident_id, note = self._place(alert)
        state = self.states.get(alert.fingerprint)
        if state is None:
            state = self.states[alert.fingerprint] = AlertStateRow(
                fingerprint=alert.fingerprint, status=alert.status, starts_at=alert.starts_at,
                since=self._now, target_key=target_key(alert), incident_id=incident_id,
            )  # fmt: skip
        else:
            _update(state, alert, incident_id, self._now)
        if incident_id not in self._new:
            self._note(incident_id, alert, note)
        self._known[_identify(alert)] = incident_id
        self.alerts.append(
            AlertRow(
                fingerprint=alert.fingerprint, starts_at=alert.starts_at, status=alert.status,
                webhook_id=self._webhook_id, incident_id=incident_id,
                body=alert.model_dump(mode="json"), received_at=self._now,
            )
        )  # fmt: skip

    def _place(self, alert: Alert) -> tuple[str | None, str]:
        """Return the incident a new alert belongs to, and what is remarkable about that."""
        key = target_key(alert)
        state, home = self.states.get(alert.fingerprint), self._homes.get(key)
        here = self._opened.get(key) or (home.incident_id if home and home.is_open else None)
        before = state.incident_id if state else None
        if alert.status == "resolved":  # it never opens one
            return before or here, ""
        if here:
            return here, ""
        if state and before and alert.starts_at < state.starts_at:
            return before, "it began before what was heard last"
        if home and (refusal := home.refuse_another(self._pace)):
            return home.incident_id, refusal
        incident, entry = make_incident(self._group, alert, self._firing[key])
        self.incidents.append(incident)
        self.begun.append(entry)
        self._opened[key] = incident.id
        self._new.add(incident.id)
        return incident.id, ""

    def _note(self, incident_id: str | None, alert: Alert, note: str) -> None:
        if incident_id is None:
            return
        facts: dict[str, object] = {
            "alertname": alert.name,
            "status": alert.status,
            "about": alert.labels.get("pod", ""),
            "fingerprint": alert.fingerprint,
            "starts_at": alert.starts_at.isoformat(),
        }
        if note:
            facts["note"] = note
        if self._group.truncated_alerts:
            facts["truncated"] = self._group.truncated_alerts
        self.attached.append((incident_id, facts))


def _update(state: AlertStateRow, alert: Alert, incident_id: str | None, now: datetime) -> bool:
    """Take an alert's word for how it stands; say whether it counts.

    An end before the last known start is that of an earlier time, and comes late.
    """
    if alert.status == "resolved":
        if state.status == "firing" and alert.ended_at and alert.ended_at < state.starts_at:
            return False
    else:
        state.starts_at, state.since, state.target_key = alert.starts_at, now, target_key(alert)
        state.incident_id = incident_id
    state.status = alert.status
    return True


def _identify(alert: Alert) -> _Identity:
    return alert.fingerprint, alert.starts_at.astimezone(UTC), alert.status


async def _find_known(session: AsyncSession, group: AlertGroup) -> dict[_Identity, str | None]:
    known: dict[_Identity, str | None] = {}
    for some in in_chunks({alert.fingerprint for alert in group.alerts}):
        columns = AlertRow.fingerprint, AlertRow.starts_at, AlertRow.status, AlertRow.incident_id
        for row in await session.execute(select(*columns).where(AlertRow.fingerprint.in_(some))):
            known[row.fingerprint, row.starts_at, row.status] = row.incident_id
    return known


async def _find_states(session: AsyncSession, group: AlertGroup) -> dict[str, AlertStateRow]:
    states: dict[str, AlertStateRow] = {}
    for some in in_chunks({alert.fingerprint for alert in group.alerts}):
        rows = await session.scalars(select(AlertStateRow).where(AlertStateRow.fingerprint.in_(some)))
        states.update({row.fingerprint: row for row in rows})
    for row in states.values():
        session.expunge(row)  # until the incidents that they will refer to are there
    return states
