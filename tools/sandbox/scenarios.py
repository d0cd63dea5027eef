"""The demo's incidents: what is healthy, what breaks it, and the alert that Alertmanager would send.

Each can be put right by one patch of one object.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tools.sandbox.api_server.store import Object
from tools.sandbox.controllers.replica_sets import is_ready

_PROMETHEUS = "monitoring/prometheus-kube-prometheus-prometheus"
_ROUTE = (
    '{}/{alertname=~"KubePodCrashLooping|KubePodNotReady|KubeDeploymentGenerationMismatch|'
    'KubeDeploymentReplicasMismatch|KubeDeploymentRolloutStuck"}'
)


@dataclass(frozen=True)
class Alert:
    """What Prometheus says of one broken pod; `{place}` stands for namespace/pod, `{container}` likewise."""

    name: str
    summary: str
    description: str
    by_container: bool = False


_NOT_READY = Alert(
    "KubePodNotReady",
    "Pod has been in a non-ready state for more than 15 minutes.",
    "Pod {place} has been in a non-ready state for longer than 15 minutes on cluster .",
)
_CRASH_LOOPING = Alert(
    "KubePodCrashLooping",
    "Pod is crash looping.",
    'Pod {place} ({container}) is in waiting state (reason: "CrashLoopBackOff") on cluster .',
    by_container=True,
)


@dataclass(frozen=True)
class Scenario:
    """One incident: `healthy` is applied and awaited first (may be empty), then `broken`.

    `is_healthy` and `is_broken` look at the pods that carry the label `app=<workload>`.
    """

    name: str
    description: str
    workload: str
    alert: Alert
    healthy: tuple[Object, ...]
    broken: tuple[Object, ...]
    is_broken: Callable[[list[Object]], bool]
    namespace: str = "default"

    def owns(self, pod: Object) -> bool:
        """Tell whether a pod belongs to the scenario's workload."""
        return (pod["metadata"].get("labels") or {}).get("app") == self.workload

    def is_healthy(self, pods: list[Object]) -> bool:
        """Tell whether the workload runs as it should before it is broken."""
        return bool(pods) and all(is_ready(pod) for pod in pods)

    def alert_body(self, pods: list[Object], started_at: datetime | None = None) -> dict[str, Any]:
        """Return the webhook body (Alertmanager's version 4) with one firing alert per pod.

        `started_at` None means now.
        """
        starts_at = (started_at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        alerts = [self._alert(pod, starts_at) for pod in pods]
        common = {
            "alertname": self.alert.name,
            "namespace": self.namespace,
            "prometheus": _PROMETHEUS,
            "severity": "warning",
        }
        return {
            "receiver": "mendgate",
            "status": "firing",
            "alerts": alerts,
            "groupLabels": {"namespace": self.namespace},
            "commonLabels": common,
            "commonAnnotations": self._annotations(),
            "externalURL": "http://prometheus-kube-prometheus-alertmanager.monitoring:9093",
            "version": "4",
            "groupKey": f'{_ROUTE}:{{namespace="{self.namespace}"}}',
            "truncatedAlerts": 0,
        }

    def _alert(self, pod: Object, starts_at: str) -> dict[str, Any]:
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]
        labels = {
            "alertname": self.alert.name,
            **({"container": container, "reason": "CrashLoopBackOff"} if self.alert.by_container else {}),
            "namespace": self.namespace,
            "pod": name,
            "prometheus": _PROMETHEUS,
            "severity": "warning",
        }
        text = self.alert.description.format(place=f"{self.namespace}/{name}", container=container)
        return {
            "status": "firing",
            "labels": labels,
            "annotations": {"description": text, **self._annotations()},
            "startsAt": starts_at,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus-kube-prometheus-prometheus.monitoring:9090/graph",
            "fingerprint": hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16],
        }

    def _annotations(self) -> dict[str, str]:
        page = self.alert.name.lower()
        return {
            "runbook_url": f"https://runbooks.prometheus-operator.dev/runbooks/kubernetes/{page}",
            "summary": self.alert.summary,
        }


def _deployment(name: str, replicas: int, container: Object, **template_annotations: str) -> Object:
    metadata: Object = {"labels": {"app": name}}
    if template_annotations:
        metadata["annotations"] = {
            f"sandbox.mendgate.io/{key.replace('_', '-')}": value
            for key, value in template_annotations.items()
        }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "100%", "maxSurge": "25%"},
            },
            "template": {"metadata": metadata, "spec": {"containers": [container]}},
        },
    }


def _service(name: str, target: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": target}]},
    }


def _nginx(image: str) -> Object:
    return _deployment("nginx-deployment", 3, {"name": "nginx", "image": image})


def _report_builder(limit: str) -> Object:
    container = {
        "name": "report-builder",
        "image": "shop/report-builder:2.3",
        "ports": [{"name": "http", "containerPort": 9000}],
        "resources": {"requests": {"memory": "32Mi"}, "limits": {"memory": limit}},
    }
    return _deployment("report-builder", 2, container, needs_memory="200Mi")


def _shop_api(probe_port: int) -> Object:
    container = {
        "name": "shop-api",
        "image": "shop/api:1.1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": probe_port}, "periodSeconds": 2},
    }
    return _deployment("shop-api", 2, container)


def _waits(*reasons: str, pods_wanted: int) -> Callable[[list[Object]], bool]:
    def shows(pods: list[Object]) -> bool:
        states = [one for pod in pods for one in pod["status"].get("containerStatuses") or []]
        stuck = [one for one in states if one["state"].get("waiting", {}).get("reason") in reasons]
        return len(stuck) == len(pods) == pods_wanted

    return shows


def _crash_loops(pods_wanted: int) -> Callable[[list[Object]], bool]:
    """Return whether so many pods have crashed again and wait to be restarted, whichever way that shows."""

    def shows(pods: list[Object]) -> bool:
        states = [one for pod in pods for one in pod["status"].get("containerStatuses") or []]
        down = [one for one in states if one["restartCount"] and "running" not in one["state"]]
        return len(down) == len(pods) == pods_wanted

    return shows


def _runs_unready(pods: list[Object]) -> bool:
    states = [one for pod in pods for one in pod["status"].get("containerStatuses") or []]
    return (
        bool(states)
        and not any(is_ready(pod) for pod in pods)
        and all("running" in one["state"] for one in states)
    )


IMAGE_PULL = Scenario(
    "image-pull",
    "A typo in an image tag: nginx:1.25- doesn't exist, all three pods are in ImagePullBackOff.",
    "nginx-deployment",
    _NOT_READY,
    (_nginx("nginx:1.25"),),
    (_nginx("nginx:1.25-"),),
    _waits("ImagePullBackOff", pods_wanted=3),
)
OOM_KILLED = Scenario(
    "oom-killed",
    "A memory limit cut too far: report-builder is OOMKilled again and again.",
    "report-builder",
    _CRASH_LOOPING,
    (_report_builder("256Mi"), _service("report-builder", "http")),
    (_report_builder("64Mi"),),
    _crash_loops(pods_wanted=2),
)
PROBE_PORT = Scenario(
    "probe-port",
    "A readiness probe on the wrong port: shop-api runs, but never becomes ready.",
    "shop-api",
    _NOT_READY,
    (_shop_api(8080), _service("shop-api", "http")),
    (_shop_api(8081),),
    _runs_unready,
)
SCENARIOS: dict[str, Scenario] = {one.name: one for one in (IMAGE_PULL, OOM_KILLED, PROBE_PORT)}
