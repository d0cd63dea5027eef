"""A StatefulSet's pod is of an older template and isn't well, and its controller won't replace it.

The controller goes in order: it waits until that pod is ready, however right the template is by now.
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.finding import Finding
from graph.runbooks.objects.workloads import Pod


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the template waits for a pod of an older one, or None."""
    workload = snapshot.workload.value
    stuck = [pod for pod in snapshot.pods.value if _is_outdated(snapshot, pod) and not pod.is_ready]
    if workload.kind != "StatefulSet" or not stuck or not _waits(snapshot):
        return None
    names = " ".join(sorted(pod.metadata.name for pod in stuck))
    anew = (
        "Have it made anew from the template as it is now; its claims and their data stay: kubectl delete"
        f" pod {names} -n {workload.metadata.namespace}"
    )
    return Finding(
        subject=workload.target,
        fault=f"{workload} can't be rolled out: pod {names} is of an older template and isn't ready",
        cause="Its controller replaces no such pod by itself; it waits until the pod is ready, which it will"
        " never be.",
        confidence="high",
        evidence=(snapshot.workload.evidence, snapshot.pods.evidence),
        options=(),
        advice=(anew,),
        prevention=(
            "Where pods needn't be started in order: podManagementPolicy Parallel, which doesn't wait so.",
        ),
    )


def _is_outdated(snapshot: Snapshot, pod: Pod) -> bool:
    latest = snapshot.workload.value.status.update_revision
    return bool(latest and pod.made_from) and pod.made_from != latest


def _waits(snapshot: Snapshot) -> bool:
    spec = snapshot.workload.value.spec
    return spec.pod_management_policy == "OrderedReady" or spec.update_strategy.type == "OnDelete"
