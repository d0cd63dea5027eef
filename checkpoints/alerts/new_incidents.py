"""Incidents being opened, and the key by which there is one open incident per target."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.bulk import insert_all
from checkpoints.db.tables import EntryRow, IncidentRow
from checkpoints.db.text import cut
from checkpoints.timeline import entries
from graph.domain.alerts.payload import Alert, AlertGroup
from graph.domain.alerts.subjects import find_cluster
from graph.domain.alerts.targets import Target, find_distinction, find_target
from graph.domain.ids import new_id

_KEY_CHARACTERS = 600


@dataclass(frozen=True)
class Opening:
    """An incident to be opened, and its timeline's first line, as values of their rows."""

    id: str
    incident: dict[str, Any]
    entry: dict[str, Any]


def draft_incident(group: AlertGroup, alert: Alert, alerts: Sequence[Alert]) -> Opening:
    """Return a new incident about an alert and those that share its target."""
    now = datetime.now(UTC)
    target = find_target(alert)
    incident: dict[str, Any] = {
        "id": new_id("inc"), "status": "open", "alertname": cut(alert.name, 255),
        "severity": cut(alert.labels.get("severity", "none"), 64), "target_key": target_key(alert),
        "target": target.model_dump() if target else None,
        "group": group.model_copy(update={"alerts": tuple(alerts)}).model_dump(mode="json"),
        "created_at": now, "updated_at": now,
    }  # fmt: skip
    facts = {
        "alertname": alert.name,
        "alerts": len(alerts),
        "receiver": group.receiver,
        "target": str(target or ""),
    }
    if group.truncated_alerts:
        facts["truncated"] = group.truncated_alerts
    entry = entries.line(incident["id"], 1, "alert_received", facts)
    return Opening(incident["id"], incident, entry)


async def open_incidents(session: AsyncSession, openings: Sequence[Opening]) -> None:
    """Insert incidents, and the first lines of their timelines, which refer to them."""
    await insert_all(session, IncidentRow, [opening.incident for opening in openings])
    await insert_all(session, EntryRow, [opening.entry for opening in openings])


def target_key(alert: Alert) -> str:
    """Return what an open incident is unique by: the alert's target, else its rule and what was measured."""
    if target := find_target(alert):
        return key_of(target, find_cluster(alert.labels))
    what = f"alert:{alert.namespace or '-'}/{alert.name}"
    return _key(f"{what}/{found}" if (found := find_distinction(alert)) else what, find_cluster(alert.labels))


def key_of(target: Target, cluster: str | None) -> str:
    """Return what an open incident about a target is unique by, among alerts from one cluster (or none)."""
    return _key(f"{target.kind}:{target.namespace or '-'}/{target.name}", cluster)


def _key(what: str, cluster: str | None) -> str:
    return _bound(f"{what}@{cluster}" if cluster else what)


def _bound(key: str) -> str:
    """Return a key that fits its column and still differs from every other: a hash stands for its end."""
    if len(key) <= _KEY_CHARACTERS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: _KEY_CHARACTERS - len(digest) - 1]}#{digest}"
