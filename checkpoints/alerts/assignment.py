"""Alerts being sorted into incidents, before anything of it is written.

There is one open incident per target; further alerts attach to it. How an alert stands is the last word about
it, so that one that fires again under an old startsAt isn't overlooked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checkpoints.alerts.correlation import CorrelatedIncident, IncidentRateLimit
from checkpoints.alerts.new_incidents import Opening, draft_incident
from checkpoints.alerts.webhook_delivery import Identity, Receipt, WebhookDelivery, identify
from graph.domain.alerts.payload import Alert


@dataclass
class AlertStanding:
    """How an alert stands by the last word about it; what a row of `alert_states` says."""

    fingerprint: str
    status: str
    starts_at: datetime
    since: datetime
    target_key: str
    incident_id: str | None

    @property
    def began_at(self) -> datetime:
        """When it began, to compare with: what is said to begin later than it was heard began then."""
        return min(self.starts_at, self.since)

    def apply(self, alert: Alert, key: str, incident_id: str | None) -> bool:
        """Take an alert's word for how it stands; say whether it counts.

        An end before the last known start is that of an earlier time, and comes late. One before its own
        alert's start says nothing about when it was.
        """
        if alert.status == "resolved":
            ended = alert.ended_at if alert.ended_at and alert.ended_at >= alert.starts_at else None
            if self.status == "firing" and ended and ended < self.began_at:
                return False
        else:
            self.starts_at, self.since, self.target_key = alert.starts_at, datetime.now(UTC), key
            self.incident_id = incident_id
        self.status = alert.status
        return True


class AlertAssigner:
    """Sorts one delivery after the other, as if each had been committed before the next one came.

    `known` maps the alerts that are in the ledger already to their incidents; `standings` says how each
    fingerprint stands, `homes` which incident each target has, `elsewhere` under which other name its alerts
    turned out to be about it before. What there is to write is in `openings`,
    `alerts` (values of rows), `changed` (standings by fingerprint) and `attached` (lines by incident).
    """

    def __init__(
        self,
        pace: IncidentRateLimit,
        known: dict[Identity, str | None],
        standings: dict[str, AlertStanding],
        homes: Mapping[str, CorrelatedIncident],
        elsewhere: Mapping[str, str],
    ) -> None:
        self.openings: list[Opening] = []
        self.alerts: list[dict[str, Any]] = []
        self.changed: dict[str, AlertStanding] = {}
        self.attached: list[tuple[str, dict[str, object]]] = []
        self._pace = pace
        self._known = known
        self._standings = standings
        self._homes = homes
        self._elsewhere = elsewhere
        self._opened: dict[str, str] = {}

    def sort(self, delivery: WebhookDelivery) -> Receipt:
        """Give every new alert of a delivery an incident, where one is open or has to be opened."""
        before, begun = len(self.alerts), set[str | None]()
        for key, alert in zip(delivery.keys, delivery.group.alerts, strict=True):
            if identify(alert) in self._known:
                self._apply_again(delivery, key, alert)
            else:
                self._add(delivery, key, alert, begun)
        added = len(self.alerts) - before
        attached = (self._known[identify(alert)] for alert in delivery.group.alerts)
        return Receipt(
            incident_ids=tuple(dict.fromkeys(incident_id for incident_id in attached if incident_id)),
            new_alerts=added,
            known_alerts=len(delivery.group.alerts) - added,
        )

    def _apply_again(self, delivery: WebhookDelivery, key: str, alert: Alert) -> None:
        """Take a known alert's word where it differs from the last one: it fires, or has ended, once more."""
        standing = self._standings.get(alert.fingerprint)
        if standing is None or standing.status == alert.status:
            return
        if standing.apply(alert, key, standing.incident_id):
            self.changed[alert.fingerprint] = standing
            self._note(delivery, standing.incident_id, alert, f"{alert.status} again")

    def _add(self, delivery: WebhookDelivery, key: str, alert: Alert, begun: set[str | None]) -> None:
        """Give a new alert a row. `begun` are the incidents that this very delivery opens."""
        incident_id, note = self._place(delivery, key, alert, begun)
        standing = self._standings.get(alert.fingerprint)
        if standing is None:
            standing = self._standings[alert.fingerprint] = AlertStanding(
                alert.fingerprint, alert.status, alert.starts_at, datetime.now(UTC), key, incident_id
            )
            self.changed[alert.fingerprint] = standing
        elif standing.apply(alert, key, incident_id):
            self.changed[alert.fingerprint] = standing
        if incident_id not in begun:
            self._note(delivery, incident_id, alert, note)
        self._known[identify(alert)] = incident_id
        self.alerts.append({
            "fingerprint": alert.fingerprint, "starts_at": alert.starts_at, "status": alert.status,
            "webhook_id": delivery.id, "incident_id": incident_id,
            "body": alert.model_dump(mode="json"), "received_at": delivery.received_at,
        })  # fmt: skip

    def _place(
        self, delivery: WebhookDelivery, key: str, alert: Alert, begun: set[str | None]
    ) -> tuple[str | None, str]:
        """Return the incident a new alert belongs to, and what is remarkable about that."""
        standing, home = self._standings.get(alert.fingerprint), self._homes.get(key)
        here = self._find_open(key, home)
        before = standing.incident_id if standing else None
        if alert.status == "resolved":  # it never opens one
            return before or here, ""
        if here:
            return here, ""
        if standing and before and alert.starts_at < standing.began_at:
            return before, "it began before what was heard last"
        if home and (refusal := home.refuse_another(self._pace)):
            return home.incident_id, refusal
        opening = draft_incident(delivery.group, alert, delivery.firing[key])
        self.openings.append(opening)
        self._opened[key] = opening.id
        begun.add(opening.id)
        return opening.id, ""

    def _find_open(self, key: str, home: CorrelatedIncident | None) -> str | None:
        """Return a target's open incident: its own, or one just opened where its alerts led before."""
        if home and home.is_open:
            return home.incident_id
        return self._opened.get(key) or self._opened.get(self._elsewhere.get(key, ""))

    def _note(self, delivery: WebhookDelivery, incident_id: str | None, alert: Alert, note: str) -> None:
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
        if delivery.group.truncated_alerts:
            facts["truncated"] = delivery.group.truncated_alerts
        self.attached.append((incident_id, facts))
