"""Deployment → ReplicaSets: revisions, rolling updates, and where they get stuck.

Numbers and order follow the real deployment controller: new pods within `maxSurge`, broken old pods first,
healthy old pods only while enough others are available.
"""

import json
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tools.kubernetes.resource_types import find_kind
from tools.sandbox.api_server.store import Object, Store
from tools.sandbox.controllers.events import Recorder, Source
from tools.sandbox.controllers.replica_sets import SAFE_ALPHABET, owned_by, owner_reference
from tools.sandbox.controllers.rollout_status import RolloutStatus

REVISION = "deployment.kubernetes.io/revision"
_REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
_HASH = "pod-template-hash"
_REPLICA_SET = find_kind("replicaset")
_SOURCE = Source("deployment-controller")
_NOT_COPIED = frozenset({"kubectl.kubernetes.io/last-applied-configuration", REVISION, _REVISION_HISTORY})


@dataclass(frozen=True)
class Budget:
    """What a rolling update may do: pods above the wanted number, and pods missing from it."""

    surge: int
    unavailable: int

    @classmethod
    def of(cls, deployment: Object) -> "Budget":
        """Read the Deployment's strategy; percentages round up for surge and down for unavailability."""
        spec = deployment["spec"]
        rolling = spec["strategy"].get("rollingUpdate")
        if rolling is None:
            return cls(0, spec["replicas"])
        surge = _share(rolling["maxSurge"], spec["replicas"], math.ceil)
        unavailable = _share(rolling["maxUnavailable"], spec["replicas"], math.floor)
        return cls(surge, 1 if surge == unavailable == 0 else min(unavailable, spec["replicas"]))


class Rollouts:
    """The Deployment controller."""

    def __init__(self, store: Store, recorder: Recorder, clock: Callable[[], float]) -> None:
        self._store = store
        self._recorder = recorder
        self._status = RolloutStatus(store, clock)

    def step(self) -> None:
        """Move every Deployment one step towards its template and its number of pods."""
        for deployment in self._store.select("Deployment"):
            self._reconcile(deployment)

    def _reconcile(self, deployment: Object) -> None:
        family = self._family(deployment)
        new = _matching(deployment, family)
        paused = deployment["spec"].get("paused", False)
        if new is None and not paused:
            new = self._start_revision(deployment, family)
        elif new is not None and not paused:
            new = self._adopt_revision(deployment, new, family)
        old = [one for one in family if new is None or one["metadata"]["name"] != new["metadata"]["name"]]
        if new is not None and not paused:
            self._roll(deployment, new, old)
        if not old or not any(one["spec"]["replicas"] for one in old):
            self._prune(deployment, old)
        self._status.report(deployment, self._family(deployment), new, Budget.of(deployment).unavailable)

    def _family(self, deployment: Object) -> list[Object]:
        sets = self._store.select("ReplicaSet", deployment["metadata"]["namespace"])
        return sorted((one for one in sets if owned_by(one, deployment)), key=revision_of)

    def _start_revision(self, deployment: Object, family: list[Object]) -> Object:
        template_hash = hash_template(deployment["spec"]["template"])
        revision = str(max((revision_of(one) for one in family), default=0) + 1)
        template = json.loads(json.dumps(deployment["spec"]["template"]))
        template["metadata"].setdefault("labels", {})[_HASH] = template_hash
        labels = deployment["spec"]["selector"].get("matchLabels") or {}
        selector = {**deployment["spec"]["selector"], "matchLabels": {**labels, _HASH: template_hash}}
        soak = deployment["spec"].get("minReadySeconds")
        created = self._store.create(
            _REPLICA_SET,
            {
                "kind": "ReplicaSet",
                "apiVersion": "apps/v1",
                "metadata": {
                    "name": f"{deployment['metadata']['name']}-{template_hash}",
                    "namespace": deployment["metadata"]["namespace"],
                    "labels": template["metadata"]["labels"],
                    "annotations": _annotations(deployment, revision),
                    "ownerReferences": [owner_reference(deployment)],
                },
                "spec": {
                    "replicas": 0,
                    **({"minReadySeconds": soak} if soak else {}),
                    "selector": selector,
                    "template": template,
                },
                "status": {"replicas": 0},
            },
        )
        self._mark_revision(deployment, revision)
        return created

    def _adopt_revision(self, deployment: Object, new: Object, family: list[Object]) -> Object:
        """Make a known ReplicaSet the newest again: a rollback keeps its name and takes a new number."""
        newest = max(revision_of(one) for one in family)
        revision = revision_of(new)
        annotations = new["metadata"]["annotations"]
        if revision < newest:
            past = [annotations[_REVISION_HISTORY]] if _REVISION_HISTORY in annotations else []
            annotations[_REVISION_HISTORY] = ",".join([*past, str(revision)])
            revision = newest + 1
        annotations.update(_annotations(deployment, str(revision)))
        self._mark_revision(deployment, str(revision))
        return self._store.replace(new)

    def _mark_revision(self, deployment: Object, revision: str) -> None:
        deployment["metadata"].setdefault("annotations", {})[REVISION] = revision
        deployment["metadata"].update(self._store.replace(deployment)["metadata"])

    def _roll(self, deployment: Object, new: Object, old: list[Object]) -> None:
        wanted = deployment["spec"]["replicas"]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            for one in old:
                self._scale(deployment, one, 0)
            self._scale(deployment, new, 0 if self._any_pod(old) else wanted)
            return
        budget = Budget.of(deployment)
        total = new["spec"]["replicas"] + sum(one["spec"]["replicas"] for one in old)
        room = max(0, wanted + budget.surge - total)
        self._scale(deployment, new, min(wanted, new["spec"]["replicas"] + room))
        self._shrink(deployment, new, old, wanted - budget.unavailable)

    def _shrink(self, deployment: Object, new: Object, old: list[Object], least: int) -> None:
        """Scale the old ReplicaSets down: what is broken first, then what `least` available pods allow."""
        missing_new = new["spec"]["replicas"] - _available(new)
        total = new["spec"]["replicas"] + sum(one["spec"]["replicas"] for one in old)
        spare = total - least - missing_new
        for one in old:
            broken = min(max(0, spare), one["spec"]["replicas"] - _available(one))
            if broken > 0:
                self._scale(deployment, one, one["spec"]["replicas"] - broken)
                spare -= broken
        healthy = min(spare, _available(new) + sum(_available(one) for one in old) - least)
        for one in old:
            drop = min(max(0, healthy), one["spec"]["replicas"])
            self._scale(deployment, one, one["spec"]["replicas"] - drop)
            healthy -= drop

    def _any_pod(self, sets: list[Object]) -> bool:
        return any(owned_by(pod, one) for one in sets for pod in self._store.select("Pod"))

    def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        before = replica_set["spec"]["replicas"]
        annotations = replica_set["metadata"]["annotations"]
        wanted = deployment["spec"]["replicas"]
        annotations["deployment.kubernetes.io/desired-replicas"] = str(wanted)
        annotations["deployment.kubernetes.io/max-replicas"] = str(wanted + Budget.of(deployment).surge)
        if before != replicas:
            replica_set["spec"]["replicas"] = replicas
            replica_set["metadata"]["generation"] += 1
            word = "up" if replicas > before else "down"
            message = (
                f"Scaled {word} replica set {replica_set['metadata']['name']} from {before} to {replicas}"
            )
            self._recorder.note(_SOURCE, deployment, "ScalingReplicaSet", message)
        replica_set["metadata"].update(self._store.replace(replica_set)["metadata"])

    def _prune(self, deployment: Object, old: list[Object]) -> None:
        for one in old[: max(0, len(old) - deployment["spec"]["revisionHistoryLimit"])]:
            self._store.remove("ReplicaSet", one["metadata"]["namespace"], one["metadata"]["name"])


def revision_of(replica_set: Object) -> int:
    """Return the ReplicaSet's revision number; 0 where it has none."""
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def hash_template(template: Object) -> str:
    """Return the pod-template-hash: a checksum in the alphabet of Kubernetes' generated names."""
    labels = {key: value for key, value in template["metadata"].get("labels", {}).items() if key != _HASH}
    plain = {**template, "metadata": {**template["metadata"], "labels": labels}}
    checksum = str(zlib.crc32(json.dumps(plain, sort_keys=True).encode()))
    return "".join(SAFE_ALPHABET[ord(digit) % len(SAFE_ALPHABET)] for digit in checksum)


def _matching(deployment: Object, family: list[Object]) -> Object | None:
    wanted = hash_template(deployment["spec"]["template"])
    return next((one for one in family if one["metadata"]["labels"].get(_HASH) == wanted), None)


def _annotations(deployment: Object, revision: str) -> dict[str, str]:
    """Return a ReplicaSet's: the Deployment's own go along, as in a real cluster, mendgate's too."""
    own = deployment["metadata"].get("annotations") or {}
    return {**{key: value for key, value in own.items() if key not in _NOT_COPIED}, REVISION: revision}


def _share(amount: int | str, whole: int, rounded: Callable[[float], int]) -> int:
    if isinstance(amount, int):
        return amount
    return rounded(int(amount.rstrip("%")) * whole / 100)


def _available(replica_set: Object) -> int:
    """Available pods, never more than asked for: the status may lag behind a scale-down."""
    return min(int(replica_set["status"].get("availableReplicas", 0)), int(replica_set["spec"]["replicas"]))
