"""Deliveries as they are stored: without what looks like a credential, and with what they are sorted by."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from checkpoints.alerts.new_incidents import target_key
from checkpoints.db.text import make_storable
from graph.domain.alerts.payload import Alert, AlertGroup
from graph.domain.ids import new_id
from tools.redaction.redactor import is_harmless, redact

Identity = tuple[str, datetime, str]


class Receipt(BaseModel):
    """What became of one delivery: the incidents its alerts belong to, and how many alerts were new."""

    model_config = ConfigDict(frozen=True)

    incident_ids: tuple[str, ...]
    new_alerts: int
    known_alerts: int


@dataclass(frozen=True)
class WebhookDelivery:
    """One delivery. `keys` has each alert's target, `firing` the alerts that fire by their target.

    The `sha256` is that of the bytes as received.
    """

    id: str
    group: AlertGroup
    keys: Sequence[str]
    firing: Mapping[str, Sequence[Alert]]
    body: bytes
    sha256: str
    received_at: datetime

    @classmethod
    def of(cls, group: AlertGroup, raw: bytes) -> Self:
        """Return the delivery of a group; `raw` are its bytes as received."""
        document = group.model_dump(mode="json")
        body = json.dumps(document, ensure_ascii=False)
        if not _is_plain(body):
            document = make_storable(redact(document))
            group = AlertGroup.model_validate(document)
            body = json.dumps(document, ensure_ascii=False)
        keys = [target_key(alert) for alert in group.alerts]
        firing: dict[str, list[Alert]] = {}
        for key, alert in zip(keys, group.alerts, strict=True):
            if alert.status == "firing":
                firing.setdefault(key, []).append(alert)
        return cls(
            id=new_id("whk"),
            group=group,
            keys=keys,
            firing=firing,
            body=body.encode(),
            sha256=hashlib.sha256(raw).hexdigest(),
            received_at=datetime.now(UTC),
        )

    def values(self) -> dict[str, Any]:
        """Return the values of its row."""
        return {"id": self.id, "received_at": self.received_at, "sha256": self.sha256, "body": self.body}


def _is_plain(body: str) -> bool:
    """Whether a document can be stored as it is, as its JSON tells, which escapes no letter of a sign.

    What a database can't keep isn't ASCII, but for NUL.
    """
    return is_harmless(body) and "\\u0000" not in body


def identify(alert: Alert) -> Identity:
    """Return what an alert is stored once by."""
    return alert.fingerprint, alert.starts_at.astimezone(UTC), alert.status
