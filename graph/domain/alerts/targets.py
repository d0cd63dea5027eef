"""What an alert is about: the workload that stays while its pods come and go.

Pod names change at every rollout, so an incident is kept per workload. At ingest only the labels are known;
the names that controllers give their pods tell the workload: `<deployment>-<template hash>-<5 characters>`,
`<statefulset>-<ordinal>`, `<daemonset>-<5 characters>`, of Kubernetes' `rand.SafeEncodeString` alphabet.
The investigation then reads the real owner chain.
"""

import re

from pydantic import BaseModel, ConfigDict

from graph.domain.alerts.claims import find_claim
from graph.domain.alerts.payload import Alert
from graph.domain.alerts.subjects import (
    Labels,
    comes_from_exporter,
    find_subject,
    is_about_its_node,
    is_exporter,
)

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
    "resourcequota": "ResourceQuota",
}
_WORKLOAD_TYPES = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "replicaset": "ReplicaSet",
    "job": "Job",
    "cronjob": "CronJob",
    "pod": "Pod",
    "barepod": "Pod",
    "staticpod": "Pod",
}
# rules about nodes, as the usual collections name them; their other labels are the exporter's
_ABOUT_NODES = re.compile(r"^(Kube(rnetes)?Node|K8sNode|Node[A-Z]|Kubelet|Host[A-Z])")
_OWNERS = (("owner_kind", "owner_name"), ("created_by_kind", "created_by_name"))
# what measures itself, and names itself in its rules
_ABOUT_ITSELF = re.compile(r"^(Prometheus(?!Target|Job|AllTargets)|KubeStateMetrics)")
_ABOUT_CERTIFICATES = re.compile(r"cert", re.IGNORECASE)
_CERTIFIER = re.compile(r"cert-?manager", re.IGNORECASE)
_SERVICE_NAME = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?")
# rules about what is scraped: there the exporter's labels do name the subject
_ABOUT_SCRAPES = re.compile(r"Target|Scrape|Absent|Down$")
_ABOUT_NAMESPACES = re.compile(r"Namespace(Is)?(Stuck|Terminating)")
_LONGEST_NAME = 253
# what an exporter was pointed at, and where it was scraped
_MEASURED = ("target", "exported_instance", "instance")
_HOST = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?(?P<host>\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::\d+)?(?:[/?#].*)?$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[\d.]+|\[?[0-9a-f]*:[0-9a-f:]*\]?", re.IGNORECASE)


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
    labels, namespace = find_subject(alert.labels), alert.namespace
    if target := _find_of_cluster(alert, labels) or _labelled_target(labels, namespace):
        return target
    if (pod := _subjects_pod(alert, labels)) and namespace:
        return _workload_of(pod, namespace)
    if (service := _subjects_service(alert, labels)) and namespace:
        return Target(kind="Service", namespace=namespace, name=service)
    if node := labels.get("node"):
        return Target(kind="Node", namespace=None, name=node)
    return _called_service(alert)


def _called_service(alert: Alert) -> Target | None:
    """Return the Service whose name within the cluster an exporter was pointed at."""
    found = (_SERVICE_NAME.fullmatch(host) for host in list_hosts(alert))
    return next((Target(kind="Service", **one.groupdict()) for one in found if one), None)


def list_hosts(alert: Alert) -> tuple[str, ...]:
    """Return the hosts that were measured: of what an exporter was pointed at, and of the instance."""
    places = (alert.labels.get(name, "") for name in _MEASURED)
    hosts = (_HOST.match(place) for place in places)
    return tuple(dict.fromkeys(host["host"].strip("[]").lower() for host in hosts if host))


def find_pod(alert: Alert) -> str | None:
    """Return the pod an alert is about; where a workload is labelled, `pod` may name the exporter's own."""
    labels, namespace = find_subject(alert.labels), alert.namespace
    if namespace is None or _find_of_cluster(alert, labels) or _labelled_target(labels, namespace):
        return None
    return _subjects_pod(alert, labels)


def find_node_exporter(alert: Alert) -> tuple[str, str] | None:
    """Return namespace and name of the pod that measured its own node, None where there is none.

    That node is what the alert is about.
    """
    namespace, pod = alert.labels.get("namespace"), alert.labels.get("pod")
    return (namespace, pod) if namespace and pod and _is_about_its_node(alert) else None


def find_scraped_job(alert: Alert) -> str | None:
    """Return the job of a scrape that an alert is about, None for another alert, or an exporter's job.

    The Prometheus Operator calls it by the Service, or by the namespace and the PodMonitor.
    """
    job = alert.labels.get("job", "").rpartition("/")[2]
    is_meant = alert.namespace and _ABOUT_SCRAPES.search(alert.name) and not comes_from_exporter(alert.labels)
    return job if job and is_meant else None


def find_distinction(alert: Alert) -> str:
    """Return what tells an alert without a target from others of its rule; empty if nothing does.

    That is the job that was scraped, and where an exporter measured a node or a URL, which one.
    """
    labels = alert.labels
    instance = next((labels[name] for name in _MEASURED if labels.get(name)), "")
    is_subject = comes_from_exporter(labels) or _ABOUT_NODES.match(alert.name) or "://" in instance
    return "/".join(one for one in (labels.get("job"), instance if is_subject else "") if one)


def list_kinds(alert: Alert) -> tuple[str, ...]:
    """Return the kinds that a `workload` without its type may have, the likeliest first; else nothing."""
    labels = find_subject(alert.labels)
    found = _labelled_target(labels, alert.namespace)
    typed = labels.get("workload_type", "").lower() in _WORKLOAD_TYPES
    if typed or found is None or any(labels.get(label) for label in _LABELLED_KINDS):
        return ()
    return ("Deployment", "StatefulSet", "DaemonSet")


def _labelled_target(labels: Labels, namespace: str | None) -> Target | None:
    if namespace is None:
        return None
    if certificate := _certificate(labels):
        return Target(kind="Certificate", namespace=namespace, name=certificate)
    for label, kind in _LABELLED_KINDS.items():
        if name := labels.get(label):
            return Target(kind=kind, namespace=namespace, name=name)
    if workload := labels.get("workload"):
        kind = _WORKLOAD_TYPES.get(labels.get("workload_type", "").lower(), "Deployment")
        return Target(kind=kind, namespace=namespace, name=workload)
    owners = ((labels.get(kind, ""), labels.get(name)) for kind, name in _OWNERS)
    known = ((_WORKLOAD_TYPES.get(kind.lower()), name) for kind, name in owners)
    return next((Target(kind=k, namespace=namespace, name=n) for k, n in known if k and n), None)


def _certificate(labels: Labels) -> str | None:
    """Return the name of a Certificate that cert-manager reports on."""
    measured = any(_CERTIFIER.search(labels.get(name, "")) for name in ("job", "service", "container"))
    is_one = measured and _ABOUT_CERTIFICATES.search(labels.get("alertname", ""))
    return labels.get("name") if is_one or "issuer_name" in labels else None


def _subjects_pod(alert: Alert, labels: Labels) -> str | None:
    """Return the pod, unless it is the exporter's own: of such a one only readiness can be meant."""
    pod = labels.get("pod")
    if "exported_pod" not in alert.labels and _is_about_its_node(alert):
        return None
    measured = pod and is_exporter(pod) and comes_from_exporter(alert.labels)
    return None if measured and not _is_about_exporter(alert) else pod


def _subjects_service(alert: Alert, labels: Labels) -> str | None:
    service = labels.get("service")
    measured = service and "exported_service" not in alert.labels and comes_from_exporter(alert.labels)
    return None if measured and not _ABOUT_SCRAPES.search(alert.name) else service


def _is_about_exporter(alert: Alert) -> bool:
    """Whether the alert may mean the exporter's own pods: whether they are ready, scraped, or at work."""
    return find_claim(alert) in {"pods", "replicas"} or any(
        about.search(alert.name) for about in (_ABOUT_SCRAPES, _ABOUT_ITSELF)
    )


def _find_of_cluster(alert: Alert, labels: Labels) -> Target | None:
    """Return the node or the namespace that a rule is about; its series carry the exporter's pod, too."""
    on_node = _ABOUT_NODES.match(alert.name) or _is_about_its_node(alert)
    if on_node and (node := labels.get("node") or _node_of_instance(alert)):
        return Target(kind="Node", namespace=None, name=node)
    if volume := labels.get("persistentvolume"):
        return Target(kind="PersistentVolume", namespace=None, name=volume)
    if alert.namespace and _ABOUT_NAMESPACES.search(alert.name):
        return Target(kind="Namespace", namespace=None, name=alert.namespace)
    return None


def _is_about_its_node(alert: Alert) -> bool:
    """Whether an exporter on each node measured its node, and the alert isn't about that exporter."""
    return is_about_its_node(alert.labels) and not _is_about_exporter(alert)


def _node_of_instance(alert: Alert) -> str | None:
    """Return the host that node-exporter was scraped at, where that is a name and no address."""
    host = alert.labels.get("instance", "").rpartition(":")[0]
    return host if measures_node(alert) and host and not _ADDRESS.fullmatch(host) else None


def measures_node(alert: Alert) -> bool:
    """Whether the instance is the node that an alert is about, and no exporter that reports on others."""
    if _is_about_its_node(alert):
        return True
    return not comes_from_exporter(alert.labels) or is_about_its_node(alert.labels)


def _workload_of(pod: str, namespace: str) -> Target:
    for pattern, kind in (
        (_REPLICASET_POD, "Deployment"),
        (_ORDINAL_POD, "StatefulSet"),
        (_DAEMON_POD, "DaemonSet"),
    ):
        if match := pattern.match(pod):
            return Target(kind=kind, namespace=namespace, name=match["stem"])
    return Target(kind="Pod", namespace=namespace, name=pod)
