"""ReplicaSet → Pods: keeps as many pods as asked for, and says how many are ready and available."""

import copy
import random
from datetime import UTC, datetime

from tools.kubernetes.resource_types import find_kind
from tools.sandbox.api_server.defaults import fill_defaults
from tools.sandbox.api_server.selectors import match_label_selector
from tools.sandbox.api_server.store import Object, Store, timestamp, uid_of
from tools.sandbox.controllers.events import Recorder, Source

SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_POD = find_kind("pod")
_SOURCE = Source("replicaset-controller")


def owner_reference(owner: Object) -> Object:
    """Return the reference that makes `owner` the controller of another object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned_by(obj: Object, owner: Object) -> bool:
    """Tell whether `owner` controls `obj`."""
    return any(one["uid"] == uid_of(owner) for one in obj["metadata"].get("ownerReferences") or [])


def is_ready(pod: Object) -> bool:
    """Tell whether the pod's Ready condition is True."""
    return _ready_since(pod) is not None


def is_available(pod: Object, min_ready_seconds: int) -> bool:
    """Tell whether the pod has been ready for that long."""
    since = _ready_since(pod)
    if since is None:
        return False
    return min_ready_seconds == 0 or (datetime.now(UTC) - since).total_seconds() >= min_ready_seconds


def delete_pod(store: Store, pod: Object) -> None:
    """Ask for a pod's end; its kubelet finishes it. One that no node has is gone at once."""
    metadata = pod["metadata"]
    if not pod["spec"].get("nodeName"):
        store.remove("Pod", metadata["namespace"], metadata["name"])
    elif "deletionTimestamp" not in metadata:
        metadata.update(
            deletionTimestamp=timestamp(),
            deletionGracePeriodSeconds=pod["spec"].get("terminationGracePeriodSeconds", 30),
        )
        store.replace(pod)


class ReplicaSets:
    """The ReplicaSet controller."""

    def __init__(self, store: Store, recorder: Recorder, dice: random.Random) -> None:
        self._store = store
        self._recorder = recorder
        self._dice = dice

    def step(self) -> None:
        """Bring every ReplicaSet's pods to the number it asks for, and collect the pods of deleted ones."""
        for replica_set in self._store.select("ReplicaSet"):
            self._reconcile(replica_set)
        self._collect_orphans()

    def _reconcile(self, replica_set: Object) -> None:
        pods = [
            pod
            for pod in self._store.select("Pod", replica_set["metadata"]["namespace"])
            if owned_by(pod, replica_set) and "deletionTimestamp" not in pod["metadata"]
        ]
        matches = match_label_selector(replica_set["spec"]["selector"])
        pods = [pod for pod in pods if matches(pod["metadata"].get("labels") or {})]
        wanted = replica_set["spec"]["replicas"]
        for _ in range(wanted - len(pods)):
            pods.append(self._create_pod(replica_set))
        surplus = sorted(pods, key=_expendable)[: max(0, len(pods) - wanted)]
        for pod in surplus:
            delete_pod(self._store, pod)
            message = f"Deleted pod: {pod['metadata']['name']}"
            self._recorder.note(_SOURCE, replica_set, "SuccessfulDelete", message)
        self._report(replica_set, [pod for pod in pods if pod not in surplus])

    def _create_pod(self, replica_set: Object) -> Object:
        template = copy.deepcopy(replica_set["spec"]["template"])
        prefix = f"{replica_set['metadata']['name']}-"
        suffix = "".join(self._dice.choices(SAFE_ALPHABET, k=5))
        metadata = {key: value for key, value in template["metadata"].items() if value is not None}
        pod = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {
                "name": prefix + suffix,
                "generateName": prefix,
                "namespace": replica_set["metadata"]["namespace"],
                **metadata,
                "ownerReferences": [owner_reference(replica_set)],
            },
            "spec": {"serviceAccountName": "default", "enableServiceLinks": True, **template["spec"]},
            "status": {"phase": "Pending"},
        }
        fill_defaults(pod)
        created = self._store.create(_POD, pod)
        message = f"Created pod: {created['metadata']['name']}"
        self._recorder.note(_SOURCE, replica_set, "SuccessfulCreate", message)
        return created

    def _report(self, replica_set: Object, pods: list[Object]) -> None:
        current = self._store.find(
            "ReplicaSet", replica_set["metadata"]["namespace"], replica_set["metadata"]["name"]
        )
        if current is None:
            return
        soak = current["spec"].get("minReadySeconds", 0)
        counts = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(is_ready(pod) for pod in pods),
            "availableReplicas": sum(is_available(pod, soak) for pod in pods),
        }
        current["status"] = {
            "replicas": len(pods),
            **{name: count for name, count in counts.items() if count},
            "observedGeneration": current["metadata"]["generation"],
        }
        self._store.replace(current)

    def _collect_orphans(self) -> None:
        owners = {uid_of(one) for kind in ("ReplicaSet", "Deployment") for one in self._store.select(kind)}
        for kind, owner in (("ReplicaSet", "Deployment"), ("Pod", "ReplicaSet")):
            for obj in self._store.select(kind):
                references = obj["metadata"].get("ownerReferences") or []
                if any(one["kind"] == owner and one["uid"] not in owners for one in references):
                    self._discard(kind, obj)

    def _discard(self, kind: str, obj: Object) -> None:
        if kind == "Pod":
            delete_pod(self._store, obj)
        else:
            self._store.remove(kind, obj["metadata"]["namespace"], obj["metadata"]["name"])


def _ready_since(pod: Object) -> datetime | None:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True":
            return datetime.fromisoformat(condition["lastTransitionTime"])
    return None


def _expendable(pod: Object) -> tuple[bool, bool, bool, str]:
    """Order pods as the real controller deletes them: unassigned, pending, not ready; then by name."""
    phase = (pod.get("status") or {}).get("phase")
    return bool(pod["spec"].get("nodeName")), phase != "Pending", is_ready(pod), pod["metadata"]["name"]
