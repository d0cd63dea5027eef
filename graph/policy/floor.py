"""What no policy file can open: it may narrow what is allowed here, and choose among what is listed."""

import re
from typing import Literal, get_args

from graph.policy.fields import covers

RULES = 5
"""Raise it with every change of what the code itself refuses: it is part of a policy's version."""
WorkloadKind = Literal["Deployment", "StatefulSet", "DaemonSet", "Service"]
# Whether a change helped is judged by the pods of its object, or by the addresses behind a Service: nothing
# else can be verified.
WORKLOAD_KINDS: tuple[WorkloadKind, ...] = get_args(WorkloadKind)
PROTECTED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
EXECUTABLE_TOOL = "kubectl_patch"
_POD = "spec.template.spec"
_CONTAINERS = (f"{_POD}.initContainers[*]", f"{_POD}.containers[*]")
_USUAL = (
    "image", "command", "args", "workingDir", "env", "envFrom", "ports", "resources", "livenessProbe",
    "readinessProbe", "startupProbe",
)  # fmt: skip
_PLACING = ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints")
# what a pod is configured by and where it may run; which claim holds its data is for a person
_USUAL_OF_POD = (
    *_PLACING, "dnsPolicy", "imagePullSecrets", "volumes[*].configMap.name", "volumes[*].secret.secretName",
)  # fmt: skip
USUAL_FIELDS = (
    "spec.replicas",
    *(f"{one}.{field}" for one in _CONTAINERS for field in _USUAL),
    *(f"{_POD}.{field}" for field in _USUAL_OF_POD),
)
SERVICE_FIELDS = ("spec.selector", "spec.ports")
USUAL: dict[WorkloadKind, tuple[str, ...]] = {
    kind: SERVICE_FIELDS if kind == "Service" else USUAL_FIELDS for kind in WORKLOAD_KINDS
}
# Never here: what gives a pod other rights, another identity, the node's, or other data.
_FURTHER = (
    *(f"{one}.{field}" for one in _CONTAINERS for field in ("imagePullPolicy", "lifecycle")),
    f"{_POD}.terminationGracePeriodSeconds",
    "spec.minReadySeconds", "spec.progressDeadlineSeconds", "spec.strategy", "spec.updateStrategy",
)  # fmt: skip
OPENABLE_FIELDS = (*USUAL_FIELDS, *_FURTHER)
OPENABLE = (
    "spec.replicas, spec.minReadySeconds, spec.progressDeadlineSeconds, spec.strategy, spec.updateStrategy; "
    f"of {_POD} terminationGracePeriodSeconds, {', '.join(_USUAL_OF_POD)}; "
    f"of {_POD}.containers[*] and initContainers[*] {', '.join(_USUAL)}, imagePullPolicy and lifecycle; "
    "of a Service spec.selector and spec.ports; and what is below them"
)
# They say that they only read. They switch to another cluster, print the kubeconfig, or read a node's files.
NEVER_READ = frozenset({"kubectl_context", "configuration_view", "configuration_contexts_list", "nodes_log"})
# Another cluster, another identity, a file of this machine, or a call that doesn't end.
NEVER_ARGUMENT = re.compile(
    r".*(context|kube[-_]?config|cluster|impersonat).*|config|server|token|as([-_]?(user|group|uid).*)?|user"
    r"|.*files?|file[-_]?.*|.*path|dir(ectory)?|follow|watch",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"(?<![a-z])(apply|annotate|attach|autoscale|cleanup|cordon|cp|create|debug|delete|drain|edit|evict|exec"
    r"|expose|forward|generic|install|label|management|patch|proxy|remove|replace|restart|rollback|run|scale"
    r"|set|taint|uncordon|undo|uninstall|update|upgrade|write)(?![a-z])",
    re.IGNORECASE,
)


def is_openable(field: str) -> bool:
    """Whether a policy may let a field path be changed, of some kind."""
    return any(covers(one, field) for one in (*OPENABLE_FIELDS, *SERVICE_FIELDS))


def is_service_field(field: str) -> bool:
    """Whether a field path is one that may be changed of a Service, and of nothing else."""
    return any(covers(one, field) for one in SERVICE_FIELDS)


def refuse_listing(tool: str) -> str | None:
    """Return why a policy may not list a tool among those that read, or None."""
    if tool in NEVER_READ:
        return f"{tool} leads to another cluster, to credentials or to a node's files: it is never called"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tool)
    if _CHANGES.search(words):
        return f"{tool} changes something by its name: only tools that read are listed"
    return None
