"""Who controls an object, up to the top: a pod's ReplicaSet, that one's Deployment, a Job's CronJob."""

from graph.cluster.workloads import Document
from graph.domain.alerts.targets import Target
from graph.ports import ClusterReader
from tools.errors import BadInput, ClusterError, ClusterUnreachable

_INTERMEDIATE = frozenset({"ReplicaSet", "Job"})


async def climb(cluster_reader: ClusterReader, target: Target) -> Target | None:
    """Return the topmost controller above an object, itself where it has none.

    None where the way there can't be read. Raises `ClusterUnreachable`.
    """
    document = await read_object(cluster_reader, target)
    if document is None:
        return None
    controller = find_controller(document, target.namespace)
    while controller and controller.kind in _INTERMEDIATE:
        target = controller
        if (document := await read_object(cluster_reader, target)) is None:
            return None
        controller = find_controller(document, target.namespace)
    return controller or target


async def read_object(cluster_reader: ClusterReader, target: Target) -> Document | None:
    """Return an object, or None where it can't be read. Raises `ClusterUnreachable`."""
    try:
        return await cluster_reader.get(target.kind, target.name, target.namespace)
    except ClusterUnreachable:
        raise
    except (ClusterError, BadInput):  # labels may hold what is no name at all
        return None


def find_controller(document: Document, namespace: str | None) -> Target | None:
    """Return what controls an object, or None."""
    for reference in document["metadata"].get("ownerReferences") or []:
        # a static pod is its node's: how the node fares says nothing of the pod
        if reference.get("controller") and reference["kind"] != "Node":
            return Target(kind=reference["kind"], namespace=namespace, name=reference["name"])
    return None
