"""The webhook body that Alertmanager would send."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench.eval.manifests import NAMESPACE
from bench.eval.scenario import Alert

_SOURCE = "http://prometheus.monitoring:9090/graph"


def write_body(alert: Alert, pods: Sequence[str], also: Sequence[Alert] = ()) -> bytes:
    """Return the body with one firing alert per pod, or with one that has the alert's labels alone.

    Those that fire `also` have their labels alone, and come first: so they open incidents before it does.
    """
    common = _label(alert)
    fired = [_fire({**common, "pod": pod}, alert) for pod in pods] or [_fire(common, alert)]
    fired = [*(_fire(_label(one), one) for one in also), *fired]
    body: dict[str, Any] = {
        "version": "4",
        "receiver": "mendgate",
        "status": "firing",
        "alerts": fired,
        "groupKey": f'{{}}:{{alertname="{alert.name}"}}',
        "groupLabels": {"alertname": alert.name},
        "commonLabels": common,
        "commonAnnotations": alert.annotations,
        "externalURL": "http://alertmanager.monitoring:9093",
        "truncatedAlerts": 0,
    }
    if alert.sender == "grafana":
        extra = {
            "orgId": 1,
            "title": f"[FIRING:{len(fired)}] {alert.name}",
            "state": "alerting",
            "message": "…",
        }
        body |= {"version": "1", **extra}
    if alert.sender == "alertmanager-0.18":
        body.pop("truncatedAlerts")
        for one in fired:
            one.pop("fingerprint")
    return json.dumps(body).encode()


def _label(alert: Alert) -> dict[str, str]:
    return {"alertname": alert.name, "severity": "warning", "namespace": NAMESPACE, **alert.labels}


def _fire(labels: dict[str, str], alert: Alert) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": labels,
        "annotations": alert.annotations,
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": _SOURCE,
        "fingerprint": hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16],
    }
