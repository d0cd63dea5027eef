"""Workloads: how many pods there should be, how many there are, and which of them are a workload's own.

Diagnosis and verification count by the same model.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from graph.domain.alerts.targets import Target
from graph.domain.lenient_model import Number, Part
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


class Condition(Part):
    """One thing that is so, isn't so, or isn't known, of an object."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class WorkloadStatus(Part):
    """The status of a workload, in the words of Deployments and StatefulSets, DaemonSets, and Jobs."""

    observed_generation: Number = 0
    update_revision: str = ""
    replicas: Number = 0
    ready_replicas: Number = 0
    updated_replicas: Number = 0
    available_replicas: Number = 0
    desired_number_scheduled: Number = 0
    current_number_scheduled: Number = 0
    number_ready: Number = 0
    number_available: Number = 0
    updated_number_scheduled: Number = 0
    active: Number = 0
    ready: Number = 0
    succeeded: Number = 0
    failed: Number = 0
    conditions: tuple[Condition, ...] = ()

    def count(self, kind: str | None, desired: int) -> Replicas | None:
        """Return the counts of a workload of this kind whose specification asks for `desired` pods.

        None for a kind that has none. How many pods a DaemonSet should have depends on the nodes.
        """
        match kind:
            case "Deployment" | "StatefulSet":
                return Replicas(
                    desired=desired,
                    current=self.replicas,
                    updated=self.updated_replicas,
                    ready=self.ready_replicas,
                    available=self.available_replicas,
                )
            case "DaemonSet":
                return Replicas(
                    desired=self.desired_number_scheduled,
                    current=self.current_number_scheduled,
                    updated=self.updated_number_scheduled,
                    ready=self.number_ready,
                    available=self.number_available,
                )
        return None


def count_replicas(workload: Document) -> Replicas | None:
    """Return the counts of a workload, or None for a kind that has none."""
    status = WorkloadStatus.model_validate(workload.get("status") or {})
    return status.count(workload.get("kind"), workload.get("spec", {}).get("replicas", 1))


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
