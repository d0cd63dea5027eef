"""The workload behind what an alert names: a Service, an Ingress, an autoscaler, a budget, a claim, a Job.

The usual rules report one broken workload under all of these names. Where exactly one workload is behind such
an object, and it is ill, the alert is about that workload. Where it is well, or there are several, the
object keeps its alert: it may be at fault itself.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graph.chain_links import list_backends, picks
from graph.controllers import climb, find_controller
from graph.health import judge_now
from graph.ports import Observer
from graph.targets import Target
from graph.workloads import Document, reference, selects
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


async def find_ill_workload(observer: Observer, front: Target) -> Target | None:
    """Return the one workload behind an object of the FRONTS if it is ill now; else None.

    What can't be read is no reason to look elsewhere: None, too. Raises `ClusterUnreachable`.
    """
    workload = await find_workload(observer, front)
    if workload is None or workload.kind == "CronJob":  # which is as well as its latest Job
        return workload
    try:
        return workload if await judge_now(observer, workload) else None
    except ClusterUnreachable:
        raise
    except (ClusterError, BadInput):
        return None


async def find_workload(observer: Observer, front: Target) -> Target | None:
    """Return the one workload behind an object of the FRONTS, well or ill.

    None where there are several, or where that can't be read. Raises `ClusterUnreachable`.
    """
    if front.kind not in FRONTS or front.namespace is None:
        return None
    try:
        (workload,) = await _find_behind(observer, front, front.namespace)
        is_known = workload.kind in _WORKLOADS or (
            workload.kind == "CronJob" and await _is_latest(observer, front, workload)
        )
    except ClusterUnreachable:
        raise
    except (ClusterError, BadInput, KeyError, ValueError):  # not one, or without a field that it should have
        return None
    return workload if is_known else None


async def _find_behind(observer: Observer, front: Target, namespace: str) -> _Workloads:
    match front.kind:
        case "ReplicaSet" | "Job":
            above = await climb(observer, front)
            return frozenset({above} if above and above != front else ())
        case "PersistentVolumeClaim":
            return await _find_mounting(observer, front, namespace)
    document = await _read(observer, front, namespace)
    match front.kind:
        case "HorizontalPodAutoscaler":
            aim = document["spec"]["scaleTargetRef"]
            return frozenset({Target(kind=aim["kind"], namespace=namespace, name=aim["name"])})
        case "PodDisruptionBudget":
            selector = document["spec"].get("selector")
            return await _find_making(observer, namespace, lambda labels: picks(selector, labels))
        case "Ingress":
            return await _find_entered(observer, document, namespace)
    return await _find_making(observer, namespace, lambda labels: selects(document, labels))


async def _read(observer: Observer, front: Target, namespace: str) -> Document:
    try:
        return await observer.get(front.kind, front.name, namespace)
    except ObjectNotFound:
        if front.kind not in _OLDER:
            raise
        return await observer.get(_OLDER[front.kind], front.name, namespace)


async def _find_making(observer: Observer, namespace: str, wanted: Callable[[Labels], bool]) -> _Workloads:
    """Return the workloads whose pods have wanted labels."""
    found = [one for kind in _WORKLOADS for one in await observer.list(kind, namespace)]
    return frozenset(
        reference(one) for one in found if wanted(one["spec"]["template"]["metadata"].get("labels") or {})
    )


async def _find_entered(observer: Observer, ingress: Document, namespace: str) -> _Workloads:
    """Return the workloads behind all Services that an Ingress sends to."""
    names = set(list_backends(ingress["spec"]))
    services = [one for one in await observer.list("Service", namespace) if one["metadata"]["name"] in names]
    return await _find_making(
        observer, namespace, lambda labels: any(selects(service, labels) for service in services)
    )


async def _find_mounting(observer: Observer, claim: Target, namespace: str) -> _Workloads:
    """Return whose pods wait for a claim. One that is bound is the subject of its alerts itself."""
    if (await observer.get(claim.kind, claim.name, namespace)).get("status", {}).get("phase") == "Bound":
        return frozenset()
    pods = [pod for pod in await observer.list("Pod", namespace) if claim.name in _claims(pod["spec"])]
    owners = {find_controller(pod, namespace) or reference(pod) for pod in pods}
    return frozenset([await climb(observer, owner) or owner for owner in owners])


def _claims(spec: Mapping[str, Any]) -> Iterable[str]:
    claims = (volume.get("persistentVolumeClaim") for volume in spec.get("volumes") or [])
    return [claim["claimName"] for claim in claims if claim]


async def _is_latest(observer: Observer, job: Target, cron_job: Target) -> bool:
    """Whether no later Job was made by the same CronJob: of it the latest one is looked at."""
    own = [
        one
        for one in await observer.list("Job", job.namespace)
        if find_controller(one, job.namespace) == cron_job
    ]
    latest = max(own, key=lambda one: one["metadata"].get("creationTimestamp") or "", default=None)
    return latest is not None and latest["metadata"]["name"] == job.name
