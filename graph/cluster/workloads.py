"""Workloads as verification sees them: how many replicas there should be, and how they really fare."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from graph.domain.alerts.targets import Target
from graph.ports import ClusterReader

Document = Mapping[str, Any]


class Replicas(BaseModel):
    """A workload's counts, under one name for Deployments, StatefulSets and DaemonSets alike."""

    model_config = ConfigDict(frozen=True)

    desired: int
    current: int
    updated: int
    ready: int
    available: int

    @property
    def settled(self) -> bool:
        """Whether the rollout is complete: all replicas new, ready and available, none left over."""
        return self.desired == self.current == self.updated == self.ready == self.available

    def __str__(self) -> str:
        return (
            f"{self.updated} of {self.desired} updated, {self.ready} ready, "
            f"{self.available} available, {self.current} in all"
        )


def count_replicas(workload: Document) -> Replicas | None:
    """Return the counts of a workload, or None for a kind that has none."""
    status = workload.get("status", {})
    match workload.get("kind"):
        case "Deployment" | "StatefulSet":
            return Replicas(
                desired=workload["spec"].get("replicas", 1),
                current=status.get("replicas", 0),
                updated=status.get("updatedReplicas", 0),
                ready=status.get("readyReplicas", 0),
                available=status.get("availableReplicas", 0),
            )
        case "DaemonSet":
            return Replicas(
                desired=status.get("desiredNumberScheduled", 0),
                current=status.get("currentNumberScheduled", 0),
                updated=status.get("updatedNumberScheduled", 0),
                ready=status.get("numberReady", 0),
                available=status.get("numberAvailable", 0),
            )
    return None


async def pods_of(cluster_reader: ClusterReader, workload: Document) -> list[dict[str, Any]]:
    """Return the workload's own pods, without those that are being deleted or have ended (as an evicted one).

    A selector may match another workload's pods too; the owner tells them apart.
    """
    namespace = workload["metadata"]["namespace"]
    selector = render_selector(workload["spec"]["selector"])
    owners = {workload["metadata"]["uid"]}
    if workload.get("kind") == "Deployment":
        owned = await cluster_reader.list("ReplicaSet", namespace, label_selector=selector)
        owners = {item["metadata"]["uid"] for item in owned if owned_by(item, owners)}
    pods = await cluster_reader.list("Pod", namespace, label_selector=selector)
    return [pod for pod in pods if owned_by(pod, owners) and not _is_over(pod)]


def owned_by(document: Document, owners: set[str]) -> bool:
    """Whether an object with one of these uids controls the document."""
    return bool(_controllers(document) & owners)


def is_ready(pod: Document) -> bool:
    """Whether a pod is Ready."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _controllers(document: Document) -> set[str]:
    references = document["metadata"].get("ownerReferences") or []
    return {reference["uid"] for reference in references if reference.get("controller")}


def _is_over(pod: Document) -> bool:
    ended = pod.get("status", {}).get("phase") in {"Failed", "Succeeded"}
    return ended or "deletionTimestamp" in pod["metadata"]


def render_selector(selector: Document) -> str:
    """Return a label selector as the API takes it in a query."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for term in selector.get("matchExpressions") or []:
        key, values = term["key"], ",".join(term.get("values") or [])
        match term["operator"]:
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
    return ",".join(parts)


def selects(service: Document, labels: Mapping[str, str]) -> bool:
    """Whether a Service picks pods with these labels."""
    selector = service["spec"].get("selector") or {}
    return bool(selector) and selector.items() <= labels.items()


def reference(document: Document) -> Target:
    """Return the document's identity as a target."""
    metadata = document["metadata"]
    return Target(kind=document["kind"], namespace=metadata.get("namespace"), name=metadata["name"])
