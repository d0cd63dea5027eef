"""A Deployment's status and conditions, in the real deployment controller's words."""

from collections.abc import Callable
from typing import Any

from tools.sandbox.api_server.store import Object, Store, timestamp, uid_of


class RolloutStatus:
    """Writes Deployments' status; remembers when each last made progress, for its deadline.

    `clock` returns seconds and never goes back.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._progress: dict[str, tuple[Any, float]] = {}

    def report(self, deployment: Object, family: list[Object], new: Object | None, slack: int) -> None:
        """Write the status that the ReplicaSets of `family` add up to; `slack` pods may be missing."""
        metadata = deployment["metadata"]
        current = self._store.find("Deployment", metadata["namespace"], metadata["name"])
        if current is None:
            return
        newest = next(
            (one for one in family if new and one["metadata"]["name"] == new["metadata"]["name"]), None
        )
        counts = _count(family, newest)
        current["status"] = {
            "observedGeneration": metadata["generation"],
            **{name: count for name, count in counts.items() if count},
            "terminatingReplicas": self._count_leaving(family),
            "conditions": [
                self._available(current, counts, slack),
                self._progressing(current, counts, newest),
            ],
        }
        self._store.replace(current)

    def _count_leaving(self, family: list[Object]) -> int:
        owners = {uid_of(one) for one in family}
        return sum(
            "deletionTimestamp" in pod["metadata"]
            and any(one["uid"] in owners for one in pod["metadata"].get("ownerReferences") or [])
            for pod in self._store.select("Pod")
        )

    def _available(self, deployment: Object, counts: dict[str, int], slack: int) -> Object:
        if counts["availableReplicas"] >= deployment["spec"]["replicas"] - slack:
            text = ("MinimumReplicasAvailable", "Deployment has minimum availability.")
            return _condition(deployment, "Available", "True", *text)
        text = ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        return _condition(deployment, "Available", "False", *text)

    def _progressing(self, deployment: Object, counts: dict[str, int], newest: Object | None) -> Object:
        uid, now = uid_of(deployment), self._clock()
        name = newest["metadata"]["name"] if newest is not None else ""
        seen = (deployment["metadata"]["generation"], name, sorted(counts.items()))
        if self._progress.get(uid, (None, now))[0] != seen:
            self._progress[uid] = (seen, now)
        if deployment["spec"].get("paused"):
            return _condition(
                deployment, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"
            )
        wanted = deployment["spec"]["replicas"]
        done = counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == wanted
        if done:
            text = f'ReplicaSet "{name}" has successfully progressed.'
            return _condition(deployment, "Progressing", "True", "NewReplicaSetAvailable", text)
        if now - self._progress[uid][1] > deployment["spec"]["progressDeadlineSeconds"]:
            text = f'ReplicaSet "{name}" has timed out progressing.'
            return _condition(deployment, "Progressing", "False", "ProgressDeadlineExceeded", text)
        text = f'ReplicaSet "{name}" is progressing.'
        return _condition(deployment, "Progressing", "True", "ReplicaSetUpdated", text)


def _count(family: list[Object], newest: Object | None) -> dict[str, int]:
    def total(name: str) -> int:
        return sum(int(one["status"].get(name, 0)) for one in family)

    asked = sum(int(one["spec"]["replicas"]) for one in family)
    return {
        "replicas": total("replicas"),
        "updatedReplicas": int(newest["status"].get("replicas", 0)) if newest is not None else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": total("availableReplicas"),
        "unavailableReplicas": max(0, asked - total("availableReplicas")),
    }


def _condition(deployment: Object, name: str, status: str, reason: str, message: str) -> Object:
    conditions: list[Object] = (deployment.get("status") or {}).get("conditions") or []
    before = next((one for one in conditions if one["type"] == name), None)
    wanted = {"type": name, "status": status, "reason": reason, "message": message}
    if before is not None and wanted.items() <= before.items():
        return before
    kept = before is not None and before["status"] == status
    since = before["lastTransitionTime"] if before is not None and kept else timestamp()
    return {**wanted, "lastUpdateTime": timestamp(), "lastTransitionTime": since}
