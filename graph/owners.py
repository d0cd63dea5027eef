"""The real owner of an alert's pods: names only suggest it, the chain of controllers tells."""

from graph.alerts import AlertGroup
from graph.ports import Observer
from graph.targets import Target, find_pod, find_target
from graph.workloads import Document
from tools.errors import BadInput, ClusterError, ClusterUnreachable

_MOST_PODS = 3
_INTERMEDIATE = frozenset({"ReplicaSet", "Job"})


async def find_owner(observer: Observer, group: AlertGroup) -> Target | None:
    """Return what an alert is about, as the cluster has it; as the labels have it where that can't be read.

    None where the labels name nothing. Raises `ClusterUnreachable`.
    """
    about = [(alert, found) for alert in group.alerts if (found := find_target(alert))]
    if not about:
        return None
    alert, guess = about[0]
    pods = dict.fromkeys(pod for alert, found in about if found == guess and (pod := find_pod(alert)))
    for pod in list(pods)[:_MOST_PODS]:
        if owner := await _climb(observer, Target(kind="Pod", namespace=alert.namespace, name=pod)):
            return owner
    return guess


async def _climb(observer: Observer, target: Target) -> Target | None:
    """Return the topmost controller above an object, or None where the way there can't be read."""
    try:
        document = await observer.get(target.kind, target.name, target.namespace)
        controller = _find_controller(document, target.namespace)
        while controller and controller.kind in _INTERMEDIATE:
            target = controller
            controller = _find_controller(
                await observer.get(target.kind, target.name, target.namespace), target.namespace
            )
    except ClusterUnreachable:
        raise
    except (ClusterError, BadInput):  # labels may hold what is no name at all
        return None
    return controller or target


def _find_controller(document: Document, namespace: str | None) -> Target | None:
    for reference in document["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return Target(kind=reference["kind"], namespace=namespace, name=reference["name"])
    return None
