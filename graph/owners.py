"""The real owner of an alert's pods: names only suggest it, the chain of controllers tells."""

from graph.alerts import AlertGroup
from graph.ports import Observer
from graph.targets import Target, find_node_exporter, find_pod, find_target, list_kinds
from graph.workloads import Document
from tools.errors import BadInput, ClusterError, ClusterUnreachable

_MOST_PODS = 3
_INTERMEDIATE = frozenset({"ReplicaSet", "Job"})


async def find_owner(observer: Observer, group: AlertGroup) -> Target | None:
    """Return what an alert is about, as the cluster has it; as the labels have it where that can't be read.

    None where neither names anything. Raises `ClusterUnreachable`.
    """
    about = [(alert, found) for alert in group.alerts if (found := find_target(alert))]
    if not about:
        return await _find_node(observer, group)
    alert, guess = about[0]
    pods = dict.fromkeys(pod for alert, found in about if found == guess and (pod := find_pod(alert)))
    for pod in list(pods)[:_MOST_PODS]:
        if owner := await _climb(observer, Target(kind="Pod", namespace=alert.namespace, name=pod)):
            return owner
    for kind in list_kinds(alert):
        meant = guess.model_copy(update={"kind": kind})
        if await _read(observer, meant):
            return meant
    return guess


async def _find_node(observer: Observer, group: AlertGroup) -> Target | None:
    """Return the node that the alert's exporter runs on, and measures."""
    measured = (find_node_exporter(alert) for alert in group.alerts)
    namespace, pod = next((one for one in measured if one), (None, None))
    document = await _read(observer, Target(kind="Pod", namespace=namespace, name=pod)) if pod else None
    node = document["spec"].get("nodeName") if document else None
    return Target(kind="Node", namespace=None, name=node) if node else None


async def _climb(observer: Observer, target: Target) -> Target | None:
    """Return the topmost controller above an object, or None where the way there can't be read."""
    document = await _read(observer, target)
    if document is None:
        return None
    controller = _find_controller(document, target.namespace)
    while controller and controller.kind in _INTERMEDIATE:
        target = controller
        if (document := await _read(observer, target)) is None:
            return None
        controller = _find_controller(document, target.namespace)
    return controller or target


async def _read(observer: Observer, target: Target) -> Document | None:
    try:
        return await observer.get(target.kind, target.name, target.namespace)
    except ClusterUnreachable:
        raise
    except (ClusterError, BadInput):  # labels may hold what is no name at all
        return None


def _find_controller(document: Document, namespace: str | None) -> Target | None:
    for reference in document["metadata"].get("ownerReferences") or []:
        # a static pod is its node's: how the node fares says nothing of the pod
        if reference.get("controller") and reference["kind"] != "Node":
            return Target(kind=reference["kind"], namespace=namespace, name=reference["name"])
    return None
