"""How far a rollout is, and which revisions there were, in kubectl's words and without waiting.

https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
"""

from typing import Any

from tools.errors import BadInput
from tools.kubectl.layout import NONE, age, table
from tools.kubernetes.client import Cluster, Object
from tools.kubernetes.relations import find_replica_sets, is_owned_by, label_selector, revision
from tools.kubernetes.resource_types import Kind

_CHANGE_CAUSE = "kubernetes.io/change-cause"
_ROLLED_OUT = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


async def show_status(cluster: Cluster, kind: Kind, name: str, namespace: str) -> str:
    """Return one line that says how far the rollout is."""
    return rollout_status(await _read(cluster, kind, name, namespace)) + "\n"


async def show_history(cluster: Cluster, kind: Kind, name: str, namespace: str) -> str:
    """Return the revisions, oldest first, with their images: what a rollback could go back to."""
    workload = await _read(cluster, kind, name, namespace)
    if workload["kind"] == "Deployment":
        rows = [_replica_set_row(item) for item in await find_replica_sets(cluster, workload)]
    else:
        rows = [_revision_row(item) for item in await _controller_revisions(cluster, workload)]
    header = ("REVISION", "NAME", "READY", "AGE", "IMAGES", "CHANGE-CAUSE")
    return "\n".join([f"{kind.singular}/{name}", *table(header, rows)]) + "\n"


def rollout_status(workload: Object) -> str:
    """Return kubectl's sentence for the state of a Deployment, StatefulSet or DaemonSet."""
    kind, name = workload["kind"], f'"{workload["metadata"]["name"]}"'
    status = workload.get("status") or {}
    if workload["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return f"Waiting for {kind.lower()} {name} spec update to be observed..."
    if kind == "Deployment":
        return _deployment_status(name, workload["spec"].get("replicas", 1), status)
    if kind == "DaemonSet":
        wanted, done = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
        return _set_status(kind, name, wanted, done, status.get("numberAvailable", 0))
    wanted, ready = workload["spec"].get("replicas", 1), status.get("readyReplicas", 0)
    if status.get("currentRevision") == status.get("updateRevision"):
        return _set_status(kind, name, wanted, wanted, ready)
    return _set_status(kind, name, wanted, status.get("updatedReplicas", 0), ready)


def _deployment_status(name: str, wanted: int, status: Object) -> str:
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    conditions = {entry["type"]: entry for entry in status.get("conditions") or []}
    waiting = f"Waiting for deployment {name} rollout to finish:"
    if conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded":
        return f"error: deployment {name} exceeded its progress deadline"
    if updated < wanted:
        return f"{waiting} {updated} out of {wanted} new replicas have been updated..."
    if total > updated:
        return f"{waiting} {total - updated} old replicas are pending termination..."
    if available < updated:
        return f"{waiting} {available} of {updated} updated replicas are available..."
    return f"deployment {name} successfully rolled out"


def _set_status(kind: str, name: str, wanted: int, updated: int, available: int) -> str:
    waiting = f"Waiting for {kind.lower()} {name} rollout to finish:"
    if updated < wanted:
        return f"{waiting} {updated} out of {wanted} new pods have been updated..."
    if available < wanted:
        return f"{waiting} {available} of {wanted} updated pods are available..."
    return f"{kind.lower()} {name} successfully rolled out"


async def _read(cluster: Cluster, kind: Kind, name: str, namespace: str) -> Object:
    if kind.kind not in _ROLLED_OUT:
        raise BadInput(f"a {kind.kind} has no rollout: name a deployment, statefulset or daemonset")
    return await cluster.get(kind, name, namespace)


async def _controller_revisions(cluster: Cluster, workload: Object) -> list[Object]:
    metadata = workload["metadata"]
    selector = label_selector(workload["spec"]["selector"])
    found = await cluster.list("controllerrevisions", metadata["namespace"], label_selector=selector)
    return sorted(
        (item for item in found if is_owned_by(item, metadata["uid"])), key=lambda item: item["revision"]
    )


def _replica_set_row(item: Object) -> tuple[Any, ...]:
    ready, wanted = item.get("status", {}).get("readyReplicas", 0), item["spec"].get("replicas", 0)
    return revision(item), item["metadata"]["name"], f"{ready}/{wanted}", *_facts(item, item["spec"])


def _revision_row(item: Object) -> tuple[Any, ...]:
    spec = (item.get("data") or {}).get("spec") or {}
    return item["revision"], item["metadata"]["name"], NONE, *_facts(item, spec)


def _facts(item: Object, spec: Object) -> tuple[str, str, str]:
    metadata = item["metadata"]
    containers = spec.get("template", {}).get("spec", {}).get("containers") or []
    images = ",".join(container.get("image", NONE) for container in containers)
    cause = (metadata.get("annotations") or {}).get(_CHANGE_CAUSE, NONE)
    return age(metadata.get("creationTimestamp")), images, cause
