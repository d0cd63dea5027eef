"""The values that the API server fills in, so that a patch's diff shows what a real one would show."""

from collections.abc import Callable
from typing import Any

from tools.sandbox.api_server.images import tag_of
from tools.sandbox.api_server.store import Object

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_WORKLOADS = frozenset({"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"})


def fill_defaults(obj: Object) -> None:
    """Fill in, in place, what the object's author left out."""
    kind, spec = obj["kind"], obj.get("spec")
    if kind in _WORKLOADS and isinstance(spec, dict):
        _fill_template(spec.get("template"))
    elif kind == "Pod" and isinstance(spec, dict):
        _fill_pod(spec)
        _fill_requests(spec)
    if fill := _BY_KIND.get(kind):
        fill(obj.setdefault("spec", {}))


def _fill_deployment(spec: Object) -> None:
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")


def _fill_replica_set(spec: Object) -> None:
    _fill(spec, replicas=1)


def _fill_stateful_set(spec: Object) -> None:
    _fill(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10)
    spec.setdefault("updateStrategy", {}).setdefault("type", "RollingUpdate")


def _fill_daemon_set(spec: Object) -> None:
    _fill(spec, revisionHistoryLimit=10)
    spec.setdefault("updateStrategy", {}).setdefault("type", "RollingUpdate")


def _fill_service(spec: Object) -> None:
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports") or []:
        _fill(port, protocol="TCP", targetPort=port.get("port", 0))


_BY_KIND: dict[str, Callable[[Object], None]] = {
    "DaemonSet": _fill_daemon_set,
    "Deployment": _fill_deployment,
    "ReplicaSet": _fill_replica_set,
    "Service": _fill_service,
    "StatefulSet": _fill_stateful_set,
}


def _fill_template(template: Any) -> None:
    if isinstance(template, dict):
        template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
        _fill_pod(template.setdefault("spec", {}))


def _fill_pod(spec: Object) -> None:
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _fill_container(container)
    for volume in spec.get("volumes") or []:
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if source in volume:
                _fill(volume[source], defaultMode=420)
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )


def _fill_container(container: Object) -> None:
    policy = "Always" if tag_of(container.get("image", "")) == "latest" else "IfNotPresent"
    _fill(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=policy,
    )
    for port in container.get("ports") or []:
        _fill(port, protocol="TCP")
    for variable in container.get("env") or []:
        if "fieldRef" in variable.get("valueFrom", {}):
            _fill(variable["valueFrom"]["fieldRef"], apiVersion="v1")
    for probe in (container[name] for name in _PROBES if name in container):
        _fill_probe(probe)


def _fill_requests(spec: Object) -> None:
    """In a pod (not in a template) a limit without a request is the request too."""
    for container in spec.get("containers") or []:
        resources = container["resources"]
        for name, amount in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, amount)


def _fill_probe(probe: Object) -> None:
    _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if "httpGet" in probe:
        _fill(probe["httpGet"], path="/", scheme="HTTP")


def _fill(target: Object, **values: Any) -> None:
    for key, value in values.items():
        target.setdefault(key, value)
