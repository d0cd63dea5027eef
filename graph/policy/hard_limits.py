"""What no policy file can open: it may narrow what is allowed here, and choose among what is listed."""

import re

RULES = 7
"""Raise it with every change of what the code itself refuses: it is part of a policy's version."""
CLOSED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
# Those of the platform itself, under their usual names: operators change them back, and much hangs on them.
PLATFORM_NAMESPACES = (
    "openshift", "openshift-*", "cattle-*", "fleet-system", "gke-*", "gmp-system", "calico-*",
    "tigera-operator", "cilium", "cilium-*", "istio-system", "istio-operator", "istio-ingress", "linkerd",
    "linkerd-*", "consul",
    "cert-manager", "argocd", "argo-cd", "flux-system", "crossplane-system", "gatekeeper-system", "kyverno",
    "olm", "operators", "external-secrets", "sealed-secrets", "vault", "metallb-system", "ingress-nginx",
    "rook-ceph", "longhorn-system", "openebs", "knative-serving", "knative-eventing", "keda", "velero",
    "karpenter", "gpu-operator", "nvidia-gpu-operator", "capi-*", "config-management-system",
)  # fmt: skip
EXECUTABLE_TOOL = "kubectl_patch"
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


def refuse_listing(tool: str) -> str | None:
    """Return why a policy may not list a tool among those that read, or None."""
    if tool in NEVER_READ:
        return f"{tool} leads to another cluster, to credentials or to a node's files: it is never called"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tool)
    if _CHANGES.search(words):
        return f"{tool} changes something by its name: only tools that read are listed"
    return None
