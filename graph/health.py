"""Health: what a workload and its pods show at one moment, one finding per question.

A finding is held (True), failed (False) or couldn't be told (None), and what was seen.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from graph.ports import Observer
from graph.targets import Target
from graph.workloads import Document, count_replicas, is_ready, pods_of
from tools.errors import BadInput, ClusterError

Finding = tuple[bool | None, str]
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
# the kubelet waits at most 5 minutes between two restarts: twice that without a crash is a good sign
_CALM = timedelta(minutes=10)


async def find_fault(observer: Observer, workload: Target) -> str | None:
    """Return what is wrong with a workload at this moment, or None where nothing is.

    What can't be read counts as wrong, and so does a container that crashed a short while ago: just
    restarted, it looks healthy for a moment.
    """
    try:
        document = await observer.get(workload.kind, workload.name, workload.namespace)
        if count_replicas(document) is None:
            return f"alertmend can't tell whether a {workload.kind} is healthy"
        pods = await pods_of(observer, document)
    except (ClusterError, BadInput) as error:
        return f"{workload} can't be read: {error}"
    findings = (
        judge_generation(document),
        judge_rollout(document),
        judge_readiness(document, pods),
        judge_symptoms(pods),
        _judge_calm(pods, datetime.now(UTC)),
    )
    return next((detail for held, detail in findings if not held), None)


def judge_generation(workload: Document) -> Finding:
    """Judge whether the controller has seen the specification as it is."""
    wanted, seen = (
        workload["metadata"].get("generation", 0),
        workload.get("status", {}).get("observedGeneration", 0),
    )
    return seen >= wanted, f"the controller has seen generation {seen} of {wanted}"


def judge_rollout(workload: Document) -> Finding:
    """Judge whether all replicas are new, ready and available."""
    replicas = count_replicas(workload)
    if replicas is None:
        return None, f"alertmend can't tell whether a {workload.get('kind')} is rolled out"
    return replicas.settled and replicas.desired > 0, str(replicas)


def judge_readiness(workload: Document, pods: Sequence[Document]) -> Finding:
    """Judge whether there are as many pods as desired, all of them Ready."""
    replicas = count_replicas(workload)
    ready = [pod["metadata"]["name"] for pod in pods if is_ready(pod)]
    desired = replicas.desired if replicas else None
    return 0 < len(ready) == len(pods) == desired, f"{len(ready)} of {len(pods)} pods are Ready"


def judge_symptoms(pods: Sequence[Document]) -> Finding:
    """Judge whether no container waits for anything but its start."""
    waiting = sorted(
        {
            reason
            for pod in pods
            for status in container_statuses(pod)
            if (reason := (status.get("state", {}).get("waiting") or {}).get("reason"))
            and reason not in _STARTING
        }
    )
    return not waiting, f"containers wait: {', '.join(waiting)}" if waiting else "no container waits"


def judge_restarts(before: Mapping[str, int], now: Mapping[str, int]) -> Finding:
    """Judge whether no count of restarts has risen."""
    risen = [name for name, count in now.items() if count > before.get(name, count)]
    return (
        not risen,
        f"{len(risen)} containers restarted within the window, {sum(now.values())} times in all",
    )


def container_statuses(pod: Document) -> list[dict[str, Any]]:
    """Return the statuses of a pod's containers, those that initialise first."""
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def count_restarts(pods: Sequence[Document]) -> dict[str, int]:
    """Return how often each container was restarted."""
    return {
        f"{pod['metadata']['uid']}/{status['name']}": status.get("restartCount", 0)
        for pod in pods
        for status in container_statuses(pod)
    }


def _judge_calm(pods: Sequence[Document], now: datetime) -> Finding:
    crashed = [
        status["name"]
        for pod in pods
        for status in pod.get("status", {}).get("containerStatuses") or []
        for end in (status.get("state", {}).get("terminated"), status.get("lastState", {}).get("terminated"))
        if end and not (end.get("finishedAt") and now - datetime.fromisoformat(end["finishedAt"]) >= _CALM)
    ]
    return not crashed, f"containers ended in the last 10 minutes: {', '.join(sorted(set(crashed)))}"
