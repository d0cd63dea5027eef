"""The fields that may be changed at all, leaf by leaf: a policy chooses among them and adds none.

What isn't listed is closed, also where it lies below a field that a policy opens: a container's ports are
open, and their hostPort isn't.
"""

from collections.abc import Iterator
from typing import Literal, get_args

from graph.policy.fields.paths import covers, holds_any, is_one_of

WorkloadKind = Literal["Deployment", "StatefulSet", "DaemonSet", "Service"]
# Whether a change helped is judged by the pods of its object, or by the addresses behind a Service: nothing
# else can be verified.
WORKLOAD_KINDS: tuple[WorkloadKind, ...] = get_args(WorkloadKind)
POD = "spec.template.spec"
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
CONTAINERS = (f"{POD}.initContainers[*]", f"{POD}.containers[*]")
_USUAL = (
    "image", "command", "args", "workingDir", "env", "envFrom", "ports", "resources", *PROBES,
)  # fmt: skip
_PLACING = ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints")
# what a pod is configured by and where it may run; which claim holds its data is for a person
_USUAL_OF_POD = (
    *_PLACING, "dnsPolicy", "imagePullSecrets", "volumes[*].configMap.name", "volumes[*].secret.secretName",
)  # fmt: skip
USUAL_FIELDS = (
    "spec.replicas",
    *(f"{one}.{field}" for one in CONTAINERS for field in _USUAL),
    *(f"{POD}.{field}" for field in _USUAL_OF_POD),
)
SERVICE_FIELDS = ("spec.selector", "spec.ports")
USUAL: dict[WorkloadKind, tuple[str, ...]] = {
    kind: SERVICE_FIELDS if kind == "Service" else USUAL_FIELDS for kind in WORKLOAD_KINDS
}
# Never here: what gives a pod other rights, another identity, the node's, or other data.
OPENABLE_FIELDS = (
    *USUAL_FIELDS,
    *(f"{one}.{field}" for one in CONTAINERS for field in ("imagePullPolicy", "lifecycle")),
    f"{POD}.terminationGracePeriodSeconds",
    "spec.minReadySeconds", "spec.progressDeadlineSeconds", "spec.strategy", "spec.updateStrategy",
)  # fmt: skip
OPENABLE = (
    "spec.replicas, spec.minReadySeconds, spec.progressDeadlineSeconds, spec.strategy, spec.updateStrategy; "
    f"of {POD} terminationGracePeriodSeconds, {', '.join(_USUAL_OF_POD)}; "
    f"of {POD}.containers[*] and initContainers[*] {', '.join(_USUAL)}, imagePullPolicy and lifecycle; "
    "of a Service spec.selector and spec.ports; and what is below them, but for hostPort and hostIP, "
    "the host, headers and command of a probe, and the host and headers of a lifecycle hook"
)
_VARIABLE = (
    "name", "value", "valueFrom.configMapKeyRef.name", "valueFrom.configMapKeyRef.key",
    "valueFrom.configMapKeyRef.optional", "valueFrom.secretKeyRef.name", "valueFrom.secretKeyRef.key",
    "valueFrom.secretKeyRef.optional", "valueFrom.fieldRef.fieldPath", "valueFrom.fieldRef.apiVersion",
    "valueFrom.resourceFieldRef.resource", "valueFrom.resourceFieldRef.containerName",
    "valueFrom.resourceFieldRef.divisor",
)  # fmt: skip
_SOURCES = (
    "prefix", "configMapRef.name", "configMapRef.optional", "secretRef.name", "secretRef.optional",
)  # fmt: skip
_PROBE = (
    "httpGet.path", "httpGet.port", "httpGet.scheme", "tcpSocket.port", "grpc.port", "grpc.service",
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
    "terminationGracePeriodSeconds",
)  # fmt: skip
_HOOK = ("exec.command", "sleep.seconds", "httpGet.path", "httpGet.port", "httpGet.scheme", "tcpSocket.port")
_UPDATES = ("type", "rollingUpdate.maxSurge", "rollingUpdate.maxUnavailable", "rollingUpdate.partition")


def _of_container() -> Iterator[str]:
    yield from ("image", "command", "args", "workingDir", "imagePullPolicy")
    yield from ("resources.limits.*", "resources.requests.*")
    yield from (f"env[*].{leaf}" for leaf in _VARIABLE)
    yield from (f"envFrom[*].{leaf}" for leaf in _SOURCES)
    yield from (f"ports[*].{leaf}" for leaf in ("name", "containerPort", "protocol"))
    yield from (f"{probe}.{leaf}" for probe in PROBES for leaf in _PROBE)
    yield from (f"lifecycle.{hook}.{leaf}" for hook in ("postStart", "preStop") for leaf in _HOOK)


LEAVES: tuple[str, ...] = (
    "spec.replicas", "spec.minReadySeconds", "spec.progressDeadlineSeconds",
    *(f"{field}.{leaf}" for field in ("spec.strategy", "spec.updateStrategy") for leaf in _UPDATES),
    *(f"{one}.{leaf}" for one in CONTAINERS for leaf in _of_container()),
    f"{POD}.nodeSelector.*", f"{POD}.affinity.**", f"{POD}.topologySpreadConstraints.**",
    *(f"{POD}.tolerations[*].{leaf}" for leaf in ("key", "operator", "value", "effect", "tolerationSeconds")),
    f"{POD}.dnsPolicy", f"{POD}.terminationGracePeriodSeconds", f"{POD}.imagePullSecrets[*].name",
    f"{POD}.volumes[*].configMap.name", f"{POD}.volumes[*].secret.secretName",
)  # fmt: skip
_SERVICE_LEAVES = ("spec.selector.**", "spec.ports.**")


def is_leaf(path: str) -> bool:
    """Whether a path of a diff is a field of a workload that some policy may let be changed."""
    return is_one_of(LEAVES, path)


def holds_leaves(path: str) -> bool:
    """Whether fields that may be changed lie at or below a path of a diff."""
    return holds_any(path, LEAVES)


def is_openable(field: str) -> bool:
    """Whether a policy may name a field path, of some kind: there is something to open at or below it."""
    near = any(covers(one, field) for one in (*OPENABLE_FIELDS, *SERVICE_FIELDS))
    leaves = (*LEAVES, *_SERVICE_LEAVES)
    return near and (is_one_of(leaves, field) or holds_any(field, leaves))


def is_service_field(field: str) -> bool:
    """Whether a field path is one that may be changed of a Service, and of nothing else."""
    return any(covers(one, field) for one in SERVICE_FIELDS)
