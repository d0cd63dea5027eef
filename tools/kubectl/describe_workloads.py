"""What keeps pods running, in kubectl's words: Deployments, ReplicaSets, StatefulSets and DaemonSets."""

from collections import Counter
from typing import Any

from tools.kubectl.describe_pods import describe_containers, describe_placement
from tools.kubectl.layout import NONE, fields, pairs_of, table
from tools.kubernetes.client import Object
from tools.kubernetes.relations import label_selector, revision


def describe_deployment(deployment: Object, replica_sets: list[Object]) -> list[str]:
    """Return the lines of a Deployment but for its metadata and events."""
    spec, status = deployment["spec"], deployment.get("status", {})
    parts = (
        (spec.get("replicas", 1), "desired"),
        (status.get("updatedReplicas", 0), "updated"),
        (status.get("replicas", 0), "total"),
        (status.get("availableReplicas", 0), "available"),
        (status.get("unavailableReplicas", 0), "unavailable"),
    )
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    lines = fields(
        [
            ("Selector", label_selector(spec["selector"])),
            ("Replicas", " | ".join(f"{count} {word}" for count, word in parts)),
            ("Paused", spec.get("paused", False)),
            ("StrategyType", strategy.get("type", "RollingUpdate")),
            ("MinReadySeconds", spec.get("minReadySeconds", 0)),
            ("RollingUpdateStrategy", ", ".join(f"{value} {key}" for key, value in rolling.items()) or NONE),
        ]
    )
    return (
        lines + describe_template(spec["template"]) + describe_conditions(status) + _revisions(replica_sets)
    )


def describe_set(workload: Object, pods: list[Object]) -> list[str]:
    """Return the lines of a ReplicaSet, StatefulSet or DaemonSet but for its metadata and events."""
    spec, status = workload["spec"], workload.get("status", {})
    phases = Counter((pod.get("status") or {}).get("phase", "Unknown") for pod in pods)
    words = ("Running", "Pending", "Succeeded", "Failed")
    rows: list[tuple[str, Any]] = [
        ("Selector", label_selector(spec.get("selector"))),
        ("Replicas", _counts(workload["kind"], spec, status)),
        ("Pods Status", " / ".join(f"{phases[word]} {word}" for word in words)),
    ]
    if "updateStrategy" in spec:
        rows.append(("Update Strategy", spec["updateStrategy"].get("type", "RollingUpdate")))
    lines = fields(rows) + describe_template(spec["template"]) + describe_conditions(status)
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or []]
    return lines + (fields([("Volume Claims", claims)]) if claims else [])


def describe_template(template: Object) -> list[str]:
    """Return the lines of a pod template, indented under their title."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    rows: list[tuple[str, Any]] = [("Labels", pairs_of(metadata.get("labels")))]
    if metadata.get("annotations"):
        rows.append(("Annotations", pairs_of(metadata["annotations"])))
    if spec.get("serviceAccountName"):
        rows.append(("Service Account", spec["serviceAccountName"]))
    inner = fields(rows) + describe_containers(spec, {}) + describe_placement(spec)
    return ["Pod Template:", *(f"  {line}" for line in inner)]


def describe_conditions(status: Object) -> list[str]:
    """Return a workload's conditions; the message tells what the controller couldn't do."""
    rows = [
        (entry["type"], entry["status"], entry.get("reason", ""), entry.get("message", ""))
        for entry in status.get("conditions") or []
    ]
    return ["Conditions:", *table(("Type", "Status", "Reason", "Message"), rows, indent=2)] if rows else []


def _counts(kind: str, spec: Object, status: Object) -> str:
    if kind == "DaemonSet":
        words = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberReady")
        return " | ".join(f"{status.get(word, 0)} {word}" for word in words)
    ready = status.get("readyReplicas", 0)
    return f"{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired / {ready} ready"


def _revisions(replica_sets: list[Object]) -> list[str]:
    if not replica_sets:
        return fields([("NewReplicaSet", NONE)])
    *old, new = [_replica_set(item) for item in replica_sets]
    return fields([("OldReplicaSets", old or [NONE]), ("NewReplicaSet", new)])


def _replica_set(item: Object) -> str:
    created, wanted = item.get("status", {}).get("replicas", 0), item["spec"].get("replicas", 0)
    return f"{item['metadata']['name']} ({created}/{wanted} replicas created, revision {revision(item)})"
