"""Which nodes a pod may run on, counted as the scheduler does, as far as a node's own description tells.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from graph.domain.quantities import parse_amount
from graph.runbooks.objects.neighbours import Node, Taint
from graph.runbooks.objects.pod_template import PodSpec, Toleration

_KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})


def fits_selector(node: Node, selector: Mapping[str, str]) -> bool:
    """Whether a node has all the labels that a nodeSelector asks for."""
    return selector.items() <= node.metadata.labels.items()


def fits_affinity(node: Node, affinity: Mapping[str, Any]) -> bool | None:
    """Whether a node meets a pod's required node affinity; None where that can't be told."""
    match affinity.get("nodeAffinity"):
        case {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}:
            verdicts = [_meets(node, term) for term in terms]
        case _:
            return True
    return None if None in verdicts and True not in verdicts else True in verdicts


def _meets(node: Node, term: Any) -> bool | None:
    match term:
        case {"matchExpressions": list(wants), **rest} if not rest:
            verdicts = [_holds(node.metadata.labels, want) for want in wants]
        case _:
            return None
    return None if None in verdicts else all(verdicts)


def _holds(labels: Mapping[str, str], want: Any) -> bool | None:
    match want:
        case {"key": str(key), "operator": "In", "values": list(values)}:
            return labels.get(key) in values
        case {"key": str(key), "operator": "NotIn", "values": list(values)}:
            return labels.get(key) not in values
        case {"key": str(key), "operator": "Exists"}:
            return key in labels
        case {"key": str(key), "operator": "DoesNotExist"}:
            return key not in labels
    return None


def find_untolerated(node: Node, tolerations: Sequence[Toleration]) -> Taint | None:
    """Return a taint of the node that keeps a pod away, or None."""
    taints = (taint for taint in node.spec.taints if taint.effect in _KEEPS_AWAY)
    return next((taint for taint in taints if not any(_tolerates(each, taint) for each in tolerations)), None)


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in {"", taint.effect}:
        return False
    if toleration.operator == "Exists":
        return toleration.key in {"", taint.key}
    return (toleration.key, toleration.value) == (taint.key, taint.value)


def request_of(spec: PodSpec, resource: str) -> Decimal | None:
    """Return how much of a resource the pod's containers ask for in all; None if that can't be read.

    A limit without a request counts as one. `resource` is `cpu` (in cores) or `memory` (in bytes).
    """
    total = Decimal(0)
    for each in spec.containers:
        asked = each.resources.requests.get(resource, each.resources.limits.get(resource, "0"))
        amount = parse_amount(asked)
        if amount is None:
            return None
        total += amount
    return total


def has_room(node: Node, spec: PodSpec) -> bool | None:
    """Whether the pod would fit the node if the node were empty; None if that can't be told."""
    for resource in ("cpu", "memory"):
        wanted, there = request_of(spec, resource), parse_amount(node.status.allocatable.get(resource, ""))
        if wanted is None or there is None:
            return None
        if wanted > there:
            return False
    return True


def takes(node: Node, spec: PodSpec) -> bool:
    """Whether the node, were it empty, would certainly take such a pod."""
    return (
        node.is_ready
        and fits_selector(node, spec.node_selector)
        and fits_affinity(node, spec.affinity) is True
        and find_untolerated(node, spec.tolerations) is None
        and has_room(node, spec) is True
    )
