"""What no policy file can open: it may narrow what is allowed here, and choose among what is listed."""

import re
from typing import Literal, get_args

from graph.policy.fields import covers

RULES = 3
"""Raise it with every change of what the code itself refuses: it is part of a policy's version."""
WorkloadKind = Literal["Deployment", "StatefulSet", "DaemonSet"]
# Whether a change helped is judged by the pods of its object, so only what rolls pods out can be verified.
WORKLOAD_KINDS: tuple[WorkloadKind, ...] = get_args(WorkloadKind)
PROTECTED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
EXECUTABLE_TOOL = "kubectl_patch"
_POD = "spec.template.spec"
_CONTAINERS = (f"{_POD}.initContainers[*]", f"{_POD}.containers[*]")
_USUAL = (
    "image", "command", "args", "env", "ports", "resources", "livenessProbe", "readinessProbe",
    "startupProbe",
)  # fmt: skip
USUAL_FIELDS = ("spec.replicas", *(f"{one}.{field}" for one in _CONTAINERS for field in _USUAL))
# Never here: what gives a pod other rights, another identity, the node's, or other data.
_FURTHER = (
    *(f"{one}.{field}" for one in _CONTAINERS for field in ("imagePullPolicy", "workingDir", "lifecycle")),
    f"{_POD}.terminationGracePeriodSeconds", f"{_POD}.nodeSelector", f"{_POD}.tolerations",
    f"{_POD}.affinity", f"{_POD}.topologySpreadConstraints",
    "spec.minReadySeconds", "spec.progressDeadlineSeconds", "spec.strategy", "spec.updateStrategy",
)  # fmt: skip
OPENABLE_FIELDS = (*USUAL_FIELDS, *_FURTHER)
OPENABLE = (
    "spec.replicas, spec.minReadySeconds, spec.progressDeadlineSeconds, spec.strategy, spec.updateStrategy; "
    f"of {_POD} terminationGracePeriodSeconds, nodeSelector, tolerations, affinity and "
    f"topologySpreadConstraints; of {_POD}.containers[*] and initContainers[*] {', '.join(_USUAL)}, "
    "imagePullPolicy, workingDir and lifecycle; and what is below them"
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
    """Whether a policy may let a field path be changed."""
    return any(covers(one, field) for one in OPENABLE_FIELDS)


def refuse_listing(tool: str) -> str | None:
    """Return why a policy may not list a tool among those that read, or None."""
    if tool in NEVER_READ:
        return f"{tool} leads to another cluster, to credentials or to a node's files: it is never called"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tool)
    if _CHANGES.search(words):
        return f"{tool} changes something by its name: only tools that read are listed"
    return None
