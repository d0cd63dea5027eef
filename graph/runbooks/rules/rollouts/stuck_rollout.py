"""A rollout that doesn't move, by order or for no reason that another runbook knows."""

from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import Finding


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the workload was told to stand still, or None."""
    workload = snapshot.workload.value
    name, namespace = workload.metadata.name, workload.metadata.namespace
    wanted, updated, _ = workload.counts
    if workload.kind in {"Deployment", "StatefulSet"} and wanted == 0:
        return _finding(
            snapshot,
            f"{workload} is scaled to zero, so that nothing runs",
            f"If that isn't meant so: kubectl scale {workload.kind.lower()}/{name} -n {namespace}"
            " --replicas=...",
        )
    if workload.kind == "Deployment" and workload.spec.paused and updated < wanted:
        return _finding(
            snapshot,
            f"{workload} is paused, so that its last change isn't rolled out",
            f"If it was left so by mistake: kubectl rollout resume deployment/{name} -n {namespace}",
        )
    if workload.kind == "Job" and workload.spec.suspend:
        resume = (
            f'kubectl patch job {name} -n {namespace} --type merge --patch \'{{"spec":{{"suspend":false}}}}\''
        )
        return _finding(snapshot, f"{workload} is suspended", f"If it was left so by mistake: {resume}")
    if (
        workload.kind == "Job"
        and (failed := workload.condition("Failed"))
        and failed.reason == "DeadlineExceeded"
    ):
        return _finding(
            snapshot,
            f"{workload} was stopped after {workload.spec.active_deadline_seconds} s, before it was done"
            f" ({quote(failed.message)})",
            "Find out why it takes so long; then run it again with a longer activeDeadlineSeconds:"
            f" kubectl create job {name}-again -n {namespace} --from=cronjob/NAME, or from its manifest.",
        )
    return None


def _finding(snapshot: Snapshot, fault: str, advice: str) -> Finding:
    return Finding(
        subject=snapshot.workload.value.target,
        fault=fault,
        cause=f"{fault}.",
        confidence="high",
        evidence=(snapshot.workload.evidence,),
        options=(),
        advice=(advice,),
        prevention=("Alert on rollouts that make no progress (progressDeadlineSeconds).",),
    )
