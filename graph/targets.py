"""What an alert is about: the workload that stays while its pods come and go.

Pod names change at every rollout, so an incident is kept per workload. At ingest only the labels are known;
the names that controllers give their pods tell the workload: `<deployment>-<template hash>-<5 characters>`,
`<statefulset>-<ordinal>`, `<daemonset>-<5 characters>`, of Kubernetes' `rand.SafeEncodeString` alphabet.
The investigation then reads the real owner chain.
"""

import re

from pydantic import BaseModel, ConfigDict

from graph.alerts import Alert

_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_REPLICASET_POD = re.compile(rf"^(?P<stem>.+)-[{_SAFE}]{{5,10}}-[{_SAFE}]{{5}}$")
_ORDINAL_POD = re.compile(r"^(?P<stem>.+)-\d{1,5}$")
_DAEMON_POD = re.compile(rf"^(?P<stem>.+)-[{_SAFE}]{{5}}$")
_LABELLED_KINDS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "job_name": "Job",
    "cronjob": "CronJob",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "poddisruptionbudget": "PodDisruptionBudget",
    "replicaset": "ReplicaSet",
    "ingress": "Ingress",
    "service": "Service",
    "node": "Node",
}
# kube-state-metrics and node-exporter put these on every series; they name the exporter, not the subject.
# rules about nodes, as kube-prometheus names them; their other labels are the exporter's
_ABOUT_NODES = re.compile(r"^(KubeNode|Node[A-Z]|Kubelet)")
_ABOUT_NAMESPACES = re.compile(r"Namespace(Is)?(Stuck|Terminating)")
_LONGEST_NAME = 253
_EXPORTER_LABELS = frozenset({"service", "node"})


class Target(BaseModel):
    """A Kubernetes object. `namespace` is None for an object of the cluster itself."""

    model_config = ConfigDict(frozen=True)

    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f" in {self.namespace}" if self.namespace else "")


def find_target(alert: Alert) -> Target | None:
    """Return the object an alert's labels point at, or None if they name none.

    A pod is mapped to the workload its name was made from; kind is `Pod` where no controller's pattern fits.
    What no object can be called, such as a name with control characters, names none.
    """
    target = _find(alert)
    return target if target and _can_exist(target) else None


def _can_exist(target: Target) -> bool:
    names = (target.name, target.namespace or "")
    return all(len(one) <= _LONGEST_NAME and one.isprintable() and " " not in one for one in names)


def _find(alert: Alert) -> Target | None:
    if target := _find_of_cluster(alert):
        return target
    if alert.namespace is None:
        return None
    if labelled := _labelled_target(alert):
        return labelled
    if pod := alert.labels.get("pod"):
        return _workload_of(pod, alert.namespace)
    if service := alert.labels.get("service"):
        return Target(kind="Service", namespace=alert.namespace, name=service)
    return None


def find_pod(alert: Alert) -> str | None:
    """Return the pod an alert is about; beside a workload's label, `pod` names the exporter's own."""
    if alert.namespace is None or _find_of_cluster(alert) or _labelled_target(alert):
        return None
    return alert.labels.get("pod")


def _labelled_target(alert: Alert) -> Target | None:
    for label, kind in _LABELLED_KINDS.items():
        if label not in _EXPORTER_LABELS and (name := alert.labels.get(label)):
            return Target(kind=kind, namespace=alert.namespace, name=name)
    return None


def _find_of_cluster(alert: Alert) -> Target | None:
    """Return the node or the namespace that a rule is about; its series carry the exporter's pod, too."""
    if (node := alert.labels.get("node")) and _ABOUT_NODES.match(alert.name):
        return Target(kind="Node", namespace=None, name=node)
    if alert.namespace and _ABOUT_NAMESPACES.search(alert.name):
        return Target(kind="Namespace", namespace=None, name=alert.namespace)
    return None


def _workload_of(pod: str, namespace: str) -> Target:
    for pattern, kind in (
        (_REPLICASET_POD, "Deployment"),
        (_ORDINAL_POD, "StatefulSet"),
        (_DAEMON_POD, "DaemonSet"),
    ):
        if match := pattern.match(pod):
            return Target(kind=kind, namespace=namespace, name=match["stem"])
    return Target(kind="Pod", namespace=namespace, name=pod)
