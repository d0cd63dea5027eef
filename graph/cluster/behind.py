"""The workload behind what an alert names: a Service, an Ingress, an autoscaler, a budget, a claim, a Job.

The usual rules report one broken workload under all of these names. Where exactly one workload is behind such
an object, and it is ill, the alert is about that workload. Where it is well, or there are several, the
object keeps its alert: it may be at fault itself.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graph.cluster.controllers import climb, find_controller
from graph.cluster.health import judge_now
from graph.cluster.object_links import list_backends, picks
from graph.cluster.workloads import Document, reference, selects
from graph.domain.alerts.targets import Target
from graph.ports import ClusterReader
from tools.errors import BadInput, ClusterError, ClusterUnreachable, ObjectNotFound

FRONTS = frozenset(
    {
        "ReplicaSet", "Job", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget",
        "PersistentVolumeClaim",
    }
)  # fmt: skip
"""The kinds that workloads are behind."""
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
# what servers before 1.23 and 1.21 call them, whose other versions they lack
_OLDER = {
    "HorizontalPodAutoscaler": "horizontalpodautoscalers.v1.autoscaling",
    "PodDisruptionBudget": "poddisruptionbudgets.v1beta1.policy",
}
_Workloads = frozenset[Target]
Labels = Mapping[str, str]


async def find_ill_workload(cluster_reader: ClusterReader, front: Target) -> Target | None:
    """Return the one workload behind an object of the FRONTS if it is ill now; else None.

    What can't be read is no reason to look elsewhere: None, too. Raises `ClusterUnreachable`.
    """
    workload = await find_workload(cluster_reader, front)
    if workload is None or workload.kind == "CronJob":  # which is as well as its latest Job
        return workload
    try:
        return workload if await judge_now(cluster_reader, workload) else None
    except ClusterUnreachable:
        raise
    except (ClusterError, BadInput):
        return None


async def find_workload(cluster_reader: ClusterReader, front: Target) -> Target | None:
    """Return the one workload behind an object of the FRONTS, well or ill.

    None where there are several, or where that can't be read. Raises `ClusterUnreachable`.
    """
    if front.kind not in FRONTS or front.namespace is None:
        return None
    try:
        (workload,) = await _find_behind(cluster_reader, front, front.namespace)
        is_known = workload.kind in _WORKLOADS or (
            workload.kind == "CronJob" and await _is_latest(cluster_reader, front, workload)
        )
    except ClusterUnreachable:
        raise
    except (ClusterError, BadInput, KeyError, ValueError):  # not one, or without a field that it should have
        return None
    return workload if is_known else None


async def _find_behind(cluster_reader: ClusterReader, front: Target, namespace: str) -> _Workloads:
    match front.kind:
        case "ReplicaSet" | "Job":
            above = await climb(cluster_reader, front)
            return frozenset({above} if above and above != front else ())
        case "PersistentVolumeClaim":
            return await _find_mounting(cluster_reader, front, namespace)
    document = await _read(cluster_reader, front, namespace)
    match front.kind:
        case "HorizontalPodAutoscaler":
            aim = document["spec"]["scaleTargetRef"]
            return frozenset({Target(kind=aim["kind"], namespace=namespace, name=aim["name"])})
        case "PodDisruptionBudget":
            selector = document["spec"].get("selector")
            return await _find_making(cluster_reader, namespace, lambda labels: picks(selector, labels))
        case "Ingress":
            return await _find_entered(cluster_reader, document, namespace)
    return await _find_making(cluster_reader, namespace, lambda labels: selects(document, labels))


async def _read(cluster_reader: ClusterReader, front: Target, namespace: str) -> Document:
    try:
        return await cluster_reader.get(front.kind, front.name, namespace)
    except ObjectNotFound:
        if front.kind not in _OLDER:
            raise
        return await cluster_reader.get(_OLDER[front.kind], front.name, namespace)


async def _find_making(
    cluster_reader: ClusterReader, namespace: str, wanted: Callable[[Labels], bool]
) -> _Workloads:
    """Return the workloads whose pods have wanted labels."""
    found = [one for kind in _WORKLOADS for one in await cluster_reader.list(kind, namespace)]
    return frozenset(
        reference(one) for one in found if wanted(one["spec"]["template"]["metadata"].get("labels") or {})
    )


async def _find_entered(cluster_reader: ClusterReader, ingress: Document, namespace: str) -> _Workloads:
    """Return the workloads behind all Services that an Ingress sends to."""
    names = set(list_backends(ingress["spec"]))
    services = [
        one for one in await cluster_reader.list("Service", namespace) if one["metadata"]["name"] in names
    ]
    return await _find_making(
        cluster_reader, namespace, lambda labels: any(selects(service, labels) for service in services)
    )


async def _find_mounting(cluster_reader: ClusterReader, claim: Target, namespace: str) -> _Workloads:
    """Return whose pods wait for a claim. One that is bound is the subject of its alerts itself."""
    if (await cluster_reader.get(claim.kind, claim.name, namespace)).get("status", {}).get(
        "phase"
    ) == "Bound":
        return frozenset()
    pods = [pod for pod in await cluster_reader.list("Pod", namespace) if claim.name in _claims(pod["spec"])]
    owners = {find_controller(pod, namespace) or reference(pod) for pod in pods}
    return frozenset([await climb(cluster_reader, owner) or owner for owner in owners])


def _claims(spec: Mapping[str, Any]) -> Iterable[str]:
    claims = (volume.get("persistentVolumeClaim") for volume in spec.get("volumes") or [])
    return [claim["claimName"] for claim in claims if claim]


async def _is_latest(cluster_reader: ClusterReader, job: Target, cron_job: Target) -> bool:
    """Whether no later Job was made by the same CronJob: of it the latest one is looked at."""
    own = [
        one
        for one in await cluster_reader.list("Job", job.namespace)
        if find_controller(one, job.namespace) == cron_job
    ]
    latest = max(own, key=lambda one: one["metadata"].get("creationTimestamp") or "", default=None)
    return latest is not None and latest["metadata"]["name"] == job.name
