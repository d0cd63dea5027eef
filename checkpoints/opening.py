"""Incidents being opened, and the key by which there is one open incident per target."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from checkpoints import timeline
from checkpoints.storable import cut
from checkpoints.tables import EntryRow, IncidentRow
from graph.alerts import Alert, AlertGroup
from graph.identifiers import new_id
from graph.targets import Target, find_target

_KEY_CHARACTERS = 600


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
    if group.truncated_alerts:
        facts["truncated"] = group.truncated_alerts
    return incident, timeline.begin(incident.id, "alert_received", facts)


def target_key(alert: Alert) -> str:
    """Return what an open incident is unique by: the alert's target, else its rule and namespace."""
    target = find_target(alert)
    return key_of(target) if target else _bound(f"alert:{alert.namespace or '-'}/{alert.name}")


def key_of(target: Target) -> str:
    """Return what an open incident about a target is unique by."""
    return _bound(f"{target.kind}:{target.namespace or '-'}/{target.name}")


def _bound(key: str) -> str:
    """Return a key that fits its column and still differs from every other: a hash stands for its end."""
    if len(key) <= _KEY_CHARACTERS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: _KEY_CHARACTERS - len(digest) - 1]}#{digest}"
