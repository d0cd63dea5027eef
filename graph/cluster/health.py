"""Health: what a workload and its pods show at one moment, one finding per question.

A finding is held (True), failed (False) or couldn't be told (None), and what was seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from graph.cluster.container_status import ContainerStatus, stays_up
from graph.cluster.workloads import Document, count_replicas, is_ready, pods_of
from graph.domain.alerts.targets import Target
from graph.ports import ClusterReader
from tools.errors import BadInput, ClusterError

# when a program began that the runtime couldn't start: it hasn't lived at all
_NEVER = "1970-01-01T00:00:00Z"


def longest_crashed_life(pods: Iterable[Mapping[str, Any]]) -> float:
    """Return for how many seconds the longest-lived container that crashed had run; 0 if none did."""
    lives = [
        _seconds(ended["startedAt"], ended["finishedAt"])
        for pod in pods
        for group in ("initContainerStatuses", "containerStatuses")
        for status in pod.get("status", {}).get(group) or []
        for ended in (
            status.get("state", {}).get("terminated"),
            status.get("lastState", {}).get("terminated"),
        )
        if ended
        and (ended.get("exitCode") or stays_up(pod.get("spec", {}), status.get("name", "")))
        and ended.get("startedAt", _NEVER) != _NEVER
        and ended.get("finishedAt")
    ]
    return max(lives, default=0.0)


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


Finding = tuple[bool | None, str]
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


async def find_fault(cluster_reader: ClusterReader, workload: Target) -> str | None:
    """Return what is wrong with a workload at this moment, or None where nothing is.

    What can't be read counts as wrong, and so does a container that crashed a short while ago: just
    restarted, it looks healthy for a moment.
    """
    try:
        return await judge_now(cluster_reader, workload)
    except (ClusterError, BadInput) as error:
        return f"{workload} can't be read: {error}"


async def judge_now(cluster_reader: ClusterReader, workload: Target) -> str | None:
    """Do the same, but raise `ClusterError` or `BadInput` for what can't be read."""
    document = await cluster_reader.get(workload.kind, workload.name, workload.namespace)
    if count_replicas(document) is None:
        return f"mendgate can't tell whether a {workload.kind} is healthy"
    pods = await pods_of(cluster_reader, document)
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
        return None, f"mendgate can't tell whether a {workload.get('kind')} is rolled out"
    return replicas.settled and replicas.desired > 0, str(replicas)


def judge_readiness(workload: Document, pods: Sequence[Document]) -> Finding:
    """Judge whether there are as many pods as desired, all of them Ready."""
    replicas = count_replicas(workload)
    ready = [pod["metadata"]["name"] for pod in pods if is_ready(pod)]
    desired = replicas.desired if replicas else None
    return 0 < len(ready) == len(pods) == desired, f"{len(ready)} of {len(pods)} pods are Ready"


def judge_symptoms(pods: Sequence[Document]) -> Finding:
    """Judge whether no container waits for anything but its start, and none has ended that should run.

    A current kubelet leaves a container that crash-loops in the state of its last end; an older one lets it
    wait.
    """
    seen = [(pod, status) for pod in pods for status in container_statuses(pod)]
    waiting = {status.state.waiting.reason for _, status in seen if status.state.waiting} - _STARTING - {""}
    ended = {
        f"{end.reason or 'exit'} {end.exit_code}"
        for pod, status in seen
        if (end := status.state.terminated) and (end.exit_code or stays_up(pod.get("spec", {}), status.name))
    }
    words = [
        *([f"containers wait: {', '.join(sorted(waiting))}"] if waiting else []),
        *([f"containers have ended: {', '.join(sorted(ended))}"] if ended else []),
    ]
    return not words, "; ".join(words) or "no container waits or has ended"


def judge_restarts(
    before: Mapping[str, int] | None, now: Mapping[str, int], missing: Sequence[str]
) -> Finding:
    """Judge whether no container was restarted since the beginning of the window, nor its pod replaced.

    `before` are the counts then, None at the first look; `missing` the containers of which the kubelet says
    nothing at this moment.
    """
    if before is None:
        before = now
    risen = [name for name, count in now.items() if count > before.get(name, 0)]
    young = now.keys() - before.keys()
    if risen:
        times = sum(now.values())
        return False, f"{len(risen)} containers restarted within the window, {times} times in all"
    if missing:
        return None, f"the kubelet says nothing of {', '.join(sorted(set(missing)))} at this moment"
    if young:
        return None, f"{len(young)} containers are younger than the window"
    return True, f"0 containers restarted within the window, {sum(now.values())} times in all"


def container_statuses(pod: Document) -> list[ContainerStatus]:
    """Return the statuses of a pod's containers, those that initialise first."""
    status = pod.get("status", {})
    listed = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return [ContainerStatus.model_validate(one) for one in listed]


def count_restarts(pods: Sequence[Document]) -> dict[str, int]:
    """Return how often each container was restarted, by its pod's uid and its name."""
    return {
        f"{pod['metadata']['uid']}/{status.name}": status.restart_count
        for pod in pods
        for status in container_statuses(pod)
    }


def list_missing(pods: Sequence[Document]) -> list[str]:
    """Return the names of the containers that have no status, as for a moment after a kubelet's restart."""
    return [
        container["name"]
        for pod in pods
        for container in pod.get("spec", {}).get("containers") or []
        if container["name"] not in {status.name for status in container_statuses(pod)}
    ]


def crashed_lately(pods: Sequence[Document], now: datetime) -> list[Document]:
    """Return the pods of which a container crash-loops: between two crashes it looks healthy for a while."""
    return [
        pod
        for pod in pods
        if any(
            status.crash_loops(now, stays=stays_up(pod.get("spec", {}), status.name))
            for status in container_statuses(pod)
        )
    ]


def _judge_calm(pods: Sequence[Document], now: datetime) -> Finding:
    crashed = {
        status.name
        for pod in pods
        for status in container_statuses(pod)
        if status.ended_lately(now)
        and (stays_up(pod.get("spec", {}), status.name) or status.crash_loops(now, stays=False))
    }
    return not crashed, f"containers ended in the last 10 minutes: {', '.join(sorted(crashed))}"
