"""The cluster as somebody outside sees it: all objects at one moment, and whether a workload is well.

Written anew on purpose: the judge mustn't share a mistake with what it judges.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.eval.manifests import reference
from bench.eval.scenario import Object


@dataclass(frozen=True)
class Snapshot:
    """All objects of the namespace and those of the cluster itself, by `Kind/name`."""

    objects: dict[str, Object]

    @classmethod
    def of(cls, objects: Iterable[Object]) -> "Snapshot":
        """Return the snapshot that these objects make."""
        return cls({reference(one): one for one in objects})

    def of_kind(self, kind: str) -> Iterator[Object]:
        """Yield the objects of a kind."""
        return (one for one in self.objects.values() if one["kind"] == kind)

    def pods_of(self, workload: Object) -> list[Object]:
        """Return the pods that a workload selects and that aren't on their way out."""
        wanted = workload["spec"]["selector"].get("matchLabels") or {}
        return [
            pod
            for pod in self.of_kind("Pod")
            if wanted.items() <= (pod["metadata"].get("labels") or {}).items()
            and "deletionTimestamp" not in pod["metadata"]
        ]

    def shows(self, reason: str, names: tuple[str, ...]) -> bool:
        """Tell whether a container waits or ended for a reason, a pod is so, or an event says it.

        Only of the objects with these names and of what they made: others may be at work in the namespace.
        """
        told = (one["involvedObject"] for one in self.of_kind("Event") if one.get("reason") == reason)
        ill = (pod["metadata"] for pod in self.of_kind("Pod") if reason in set(_reasons(pod)))
        return any(one["name"].startswith(names) for one in (*told, *ill))

    def explain_illness(self, ref: str) -> str:
        """Return why a workload or a Service isn't well, or an empty text where it is."""
        document = self.objects.get(ref)
        if document is None:
            return f"{ref} isn't there"
        if document["kind"] == "Service":
            return "" if self._has_addresses(document) else f"{ref} has no ready address"
        if document["metadata"].get("generation", 0) > document.get("status", {}).get(
            "observedGeneration", 0
        ):
            return f"{ref}: its controller hasn't seen its latest change"
        wanted, counts = _counts(document)
        if wanted < 1 or any(count != wanted for count in counts.values()):
            return f"{ref}: wanted {wanted}, and has {counts}"
        return self._explain_pods(ref, document, wanted)

    def restarts_of(self, ref: str) -> dict[str, int]:
        """Return how often each container of a workload was restarted."""
        document = self.objects.get(ref)
        if document is None or document["kind"] == "Service":
            return {}
        return {
            f"{pod['metadata']['uid']}/{status['name']}": status.get("restartCount", 0)
            for pod in self.pods_of(document)
            for status in _statuses(pod)
        }

    def _explain_pods(self, ref: str, document: Object, wanted: int) -> str:
        pods = self.pods_of(document)
        unready = [pod["metadata"]["name"] for pod in pods if not is_ready(pod)]
        waiting = sorted({reason for pod in pods for reason in _waiting(pod)})
        if unready or waiting or len(pods) != wanted:
            return f"{ref}: {len(pods)} of {wanted} pods, not ready: {unready}, waiting: {waiting}"
        return ""

    def _has_addresses(self, service: Object) -> bool:
        endpoints = self.objects.get(f"Endpoints/{service['metadata']['name']}") or {}
        return any(subset.get("addresses") for subset in endpoints.get("subsets") or [])


def _counts(document: Object) -> tuple[int, dict[str, int]]:
    status = document.get("status", {})
    if document["kind"] == "DaemonSet":
        names = ("updatedNumberScheduled", "numberReady", "numberAvailable")
        return status.get("desiredNumberScheduled", 0), {name: status.get(name, 0) for name in names}
    names = ("replicas", "updatedReplicas", "readyReplicas")
    return document["spec"].get("replicas", 1), {name: status.get(name, 0) for name in names}


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _waiting(pod: Object) -> Iterator[str]:
    for status in _statuses(pod):
        if waiting := status.get("state", {}).get("waiting"):
            yield waiting.get("reason", "")


def _reasons(pod: Object) -> Iterator[str]:
    yield from _waiting(pod)
    for status in _statuses(pod):
        for state in (status.get("state", {}), status.get("lastState", {})):
            if ended := state.get("terminated"):
                yield ended.get("reason", "")
    for condition in pod.get("status", {}).get("conditions") or []:
        yield condition.get("reason", "")


def is_ready(pod: Object) -> bool:
    """Tell whether a pod's Ready condition is True."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
