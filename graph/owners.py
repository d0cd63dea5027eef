"""The real owner of an alert's pods: names only suggest it, the chain of controllers tells."""

from graph.alerts import Alert, AlertGroup
from graph.measured import find_measured, find_node
from graph.ports import Observer
from graph.subjects import comes_from_exporter, is_exporter
from graph.targets import Target, find_pod, find_target, list_hosts, list_kinds
from graph.workloads import Document
from tools.errors import BadInput, ClusterError, ClusterUnreachable

_MOST_PODS = 3
_MOST_ALERTS = 3
_INTERMEDIATE = frozenset({"ReplicaSet", "Job"})


async def find_owner(observer: Observer, group: AlertGroup) -> Target | None:
    """Return what an alert is about, as the cluster has it; as the labels have it where that can't be read.

    None where neither names anything. Raises `ClusterUnreachable`.
    """
    about = [(alert, found) for alert in group.alerts if (found := find_target(alert))]
    if not about:
        measured = [await find_measured(observer, alert) for alert in group.alerts[:_MOST_ALERTS]]
        return next((found for found in measured if found), None)
    alert, guess = about[0]
    if other := await _find_other(observer, alert, guess):
        return other
    pods = dict.fromkeys(pod for alert, found in about if found == guess and (pod := find_pod(alert)))
    for pod in list(pods)[:_MOST_PODS]:
        if owner := await _climb(observer, Target(kind="Pod", namespace=alert.namespace, name=pod)):
            return owner
    for kind in list_kinds(alert):
        meant = guess.model_copy(update={"kind": kind})
        if await _read(observer, meant):
            return meant
    return guess


async def _find_other(observer: Observer, alert: Alert, guess: Target) -> Target | None:
    """Return what is meant where the labels give a node another name, or name the exporter alone."""
    if guess.kind == "Node" and await _read(observer, guess) is None:
        return await find_node(observer, (guess.name.lower(), *list_hosts(alert)))
    if comes_from_exporter(alert.labels) and is_exporter(guess.name):
        return await find_measured(observer, alert)
    return None


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
