"""Which of an alert's labels name what it is about, and which name the exporter that measured it.

Prometheus puts labels of the scraped target (`namespace`, `pod`, `service`, `container`, `job`, `instance`)
on every series. Where an exporter reports on other objects and has labels of the same names, Prometheus
renames these to `exported_…`, unless the scrape honours them.
Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/, `honor_labels`.
"""

import re
from collections.abc import Mapping

Labels = Mapping[str, str]

_PREFIX = "exported_"
# what a target's labels say of the exporter; `exported_job` and `exported_instance` name no object
_OF_TARGET = frozenset({"namespace", "pod", "container", "service", "node"})
# other spellings, the best first: annotation-based scrape configurations, cAdvisor before Kubernetes 1.16,
# OpenTelemetry
_SPELLINGS = {
    "namespace": (
        "kubernetes_namespace", "kubernetes_namespace_name", "k8s_namespace_name", "k8s_namespace",
        "namespace_name", "pod_namespace", "kube_namespace", "container_label_io_kubernetes_pod_namespace",
    ),
    "pod": (
        "kubernetes_pod_name", "kubernetes_pod", "k8s_pod_name", "k8s_pod", "pod_name",
        "container_label_io_kubernetes_pod_name",
    ),
    "node": ("nodename", "node_name", "kubernetes_node", "kubernetes_node_name", "k8s_node_name"),
    "deployment": ("k8s_deployment_name", "kube_deployment", "deployment_name"),
    "statefulset": ("k8s_statefulset_name", "kube_stateful_set", "statefulset_name"),
    "daemonset": ("k8s_daemonset_name", "kube_daemon_set", "daemonset_name"),
    "job_name": ("k8s_job_name", "kube_job"),
    "cronjob": ("k8s_cronjob_name", "kube_cronjob"),
    "horizontalpodautoscaler": ("hpa",),
    "service": ("kube_service",),
}  # fmt: skip
_CALLED = (
    ("workload", "destination_workload", "destination_workload_namespace"),
    ("service", "destination_service_name", "destination_service_namespace"),
)
_KINDS_OF_EXPORTERS = (
    "node", "blackbox", "kafka", "postgres", "postgresql", "mysql", "mysqld", "redis", "mongodb",
    "elasticsearch", "rabbitmq", "nginx", "memcached", "certificate", "cloudwatch", "stackdriver", "snmp",
    "jmx", "statsd", "process", "windows", "dcgm", "ssl", "event", "x509", "smartctl", "ipmi", "systemd",
    "zookeeper", "consul", "haproxy", "cassandra", "clickhouse", "mssql", "oracledb", "sql", "etcd", "ceph",
    "json", "script", "github", "aws", "azure", "gcp", "yace", "ping", "domain", "bind", "nats", "vault",
)  # fmt: skip
_EXPORTER = re.compile(
    r"kube-?state-?metrics|cadvisor|kubelet|pushgateway|blackbox|(^|[-_/])prometheus($|[-_/0-9])"
    rf"|(^|[-_/])({'|'.join(_KINDS_OF_EXPORTERS)})[-_]?exporter($|[-_/])",
    re.IGNORECASE,
)
_ON_NODES = re.compile(
    r"(^|[-_/])(node|windows|smartctl|ipmi|systemd|process|dcgm)[-_]?exporter|^nodes?$", re.IGNORECASE
)
# cAdvisor's `name` of a container that Docker runs
_DOCKERS = re.compile(r"k8s_[^_]+_(?P<pod>[^_]+)_(?P<namespace>[^_]+)_[^_]+_\d+")
_CLUSTERS = ("cluster", "cluster_name", "k8s_cluster_name", "k8s_cluster", "kubernetes_cluster")
_SCRAPED = ("job", "container", "service", "app", "kubernetes_name", "app_kubernetes_io_name")


def find_subject(labels: Labels) -> dict[str, str]:
    """Return the labels as they name the subject, under their usual names.

    What names the exporter alone is left out where the labels show that.
    """
    found = {name: value for name, value in labels.items() if value}
    exported = {
        name.removeprefix(_PREFIX): value for name, value in found.items() if name.startswith(_PREFIX)
    } | _read_mesh(found)
    if exported.keys() & _OF_TARGET:
        # one without `exported_namespace` has none of its own, or its target has none
        kept = {"namespace"} - exported.keys()
        found = {name: value for name, value in found.items() if name not in _OF_TARGET - kept}
    found |= {name: value for name, value in exported.items() if name not in {"job", "instance"}}
    # a scrape configuration's own labels name the exporter, too; of one on each node that is the node
    passed = "kubernetes_" if comes_from_exporter(labels) else " "
    if is_about_its_node(labels) and labels.get("kubernetes_node") and not found.get("node"):
        found["node"] = labels["kubernetes_node"]
    for name, spellings in _SPELLINGS.items():
        known = (found[one] for one in spellings if found.get(one) and not one.startswith(passed))
        other = next(known, None)
        if other is not None and not found.get(name):
            found[name] = other
    return found | _read_owned(found)


def _read_owned(found: Labels) -> dict[str, str]:
    """Return what labels name in pairs or in one: a claim, and a container that Docker runs."""
    claim, place = found.get("pvc"), found.get("pvc_namespace")
    if claim and (place or found.get("namespace")):
        return {"persistentvolumeclaim": claim, **({"namespace": place} if place else {})}
    container = _DOCKERS.fullmatch(found.get("name", ""))
    return container.groupdict() if container and not found.get("pod") else {}


def _read_mesh(labels: Labels) -> dict[str, str]:
    """Return what Istio's metrics are about: what was called, not the proxy that counted."""
    for label, called, place in _CALLED:
        name, namespace = labels.get(called), labels.get(place)
        if name and namespace and "unknown" not in {name, namespace}:
            return {label: name, "namespace": namespace}
    return {}


def find_cluster(labels: Labels) -> str | None:
    """Return the cluster that an alert says it comes from, or None if it says nothing of that."""
    return next((labels[name] for name in _CLUSTERS if labels.get(name)), None)


def comes_from_exporter(labels: Labels) -> bool:
    """Whether a known exporter measured it, which reports on other things than itself."""
    return any(_EXPORTER.search(labels.get(name, "")) for name in _SCRAPED)


def is_exporter(name: str) -> bool:
    """Whether a pod or a workload has the name of a known exporter."""
    return bool(_EXPORTER.search(name))


def is_about_its_node(labels: Labels) -> bool:
    """Whether node-exporter, or its like, measured it: the subject is the node that its pod runs on."""
    return any(_ON_NODES.search(labels.get(name, "")) for name in _SCRAPED)
