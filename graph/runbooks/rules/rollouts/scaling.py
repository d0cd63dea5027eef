"""Autoscalers that can't count or are at their bound, and budgets that let no pod go."""

import re

from graph.domain.alerts.targets import Target
from graph.runbooks.evidence.network_reads import Front
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import Finding, Option, Remedy, combine, unique
from graph.runbooks.objects.network import Autoscaler, Budget

_UNREQUESTED = re.compile(
    r"missing request for (?P<resource>cpu|memory)(?: in container (?P<name>[-a-z0-9]{1,63}))?"
)
_MAXED = re.compile(r"maxed|maximum|max.?replicas|scal", re.IGNORECASE)


def diagnose_autoscaler(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the workload's autoscaler can't work, or None."""
    front = snapshot.front
    if front is None or front.autoscalers is None:
        return None
    workload = snapshot.workload.value
    for each in front.autoscalers.value:
        aim = each.spec.scale_target_ref
        if (aim.kind, aim.name) == (workload.kind, workload.metadata.name):
            return _judge(snapshot, front, each)
    return None


def _judge(snapshot: Snapshot, front: Front, scaler: Autoscaler) -> Finding | None:
    inactive = scaler.condition("ScalingActive", "False")
    if inactive and (match := _UNREQUESTED.search(inactive.message)):
        return _unrequested(snapshot, front, scaler, match["resource"], inactive.message)
    name, namespace = scaler.metadata.name, snapshot.workload.value.metadata.namespace
    if inactive and inactive.reason.startswith("Failed"):
        advice = (
            f"See whether metrics are served: kubectl describe hpa {name} -n {namespace}; kubectl get"
            " apiservices"
            " v1beta1.metrics.k8s.io; kubectl top pods"
        )
        return _finding(snapshot, front, scaler, f"can't read its metric: {quote(inactive.message)}", advice)
    limited = scaler.condition("ScalingLimited", "True")
    if limited and limited.reason == "TooManyReplicas" and any(_MAXED.search(one) for one in snapshot.alerts):
        advice = (
            "Decide whether more replicas are wanted and the cluster has room for them: kubectl patch hpa"
            f" {name} -n {namespace} --patch"
            f' \'{{"spec":{{"maxReplicas":{2 * scaler.spec.max_replicas}}}}}\''
        )
        return _finding(snapshot, front, scaler, f"is at its maximum of {scaler.spec.max_replicas}", advice)
    return None


def _unrequested(
    snapshot: Snapshot, front: Front, scaler: Autoscaler, resource: str, message: str
) -> Finding:
    """Return what mends the workload: the autoscaler divides by a request that isn't there."""
    assert front.autoscalers is not None, "the autoscaler came from there"
    workload = snapshot.workload.value
    bare = [each.name for each in workload.pod_spec.containers if resource not in each.resources.requests]
    return Finding(
        subject=workload.target,
        fault=(
            f"{workload}: container {', '.join(bare)} requests no {resource}, so that HPA"
            f" {scaler.metadata.name} can't scale it"
        ),
        cause=f'The autoscaler said: "{quote(message)}".',
        confidence="high",
        evidence=unique((snapshot.workload.evidence, front.autoscalers.evidence)),
        options=_requests(snapshot, bare, resource),
        advice=tuple(
            f"Measure container {each} (kubectl top pods --containers) and set what it uses: kubectl"
            " set resources"
            f" {workload.kind.lower()}/{workload.metadata.name} -n {workload.metadata.namespace} -c {each}"
            f" --requests={resource}=..."
            for each in bare
        ),
        prevention=("Require requests in CI for everything that an autoscaler scales.",),
    )


def _requests(snapshot: Snapshot, bare: list[str], resource: str) -> tuple[Option, ...]:
    ways = []
    for name in bare:
        remedies = []
        for past in list_past(snapshot):
            older = past.revision.pod_spec.find(name)
            amount = older.resources.requests.get(resource) if older else None
            if amount is not None:
                remedies.append(
                    Remedy(
                        container=name,
                        fields={"resources": {"requests": {resource: str(amount)}}},
                        change=f"let container {name} request {amount} of {resource}",
                        grounding="last_good_revision",
                        basis=past.tell(f"requested {amount}"),
                        confidence=past.confidence,
                        evidence=past.evidence,
                    )
                )
        ways.append(remedies)
    return combine(snapshot.workload.value, ways)


def _finding(snapshot: Snapshot, front: Front, scaler: Autoscaler, fault: str, advice: str) -> Finding:
    assert front.autoscalers is not None, "the autoscaler came from there"
    name, namespace = scaler.metadata.name, snapshot.workload.value.metadata.namespace
    return Finding(
        subject=Target(kind="HorizontalPodAutoscaler", namespace=namespace, name=name),
        fault=f"HPA {name} {fault}",
        cause=f"HPA {name} {fault}.",
        confidence="high",
        evidence=unique((snapshot.workload.evidence, front.autoscalers.evidence)),
        options=(),
        advice=(advice,),
        prevention=("Alert on autoscalers whose condition ScalingActive is False.",),
    )


def diagnose_budget(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a budget lets none of the workload's healthy pods go, or None."""
    front = snapshot.front
    if front is None or front.budgets is None:
        return None
    labels = snapshot.workload.value.spec.template.metadata.labels
    for each in front.budgets.value:
        chosen = each.spec.selector.match_labels
        if chosen and chosen.items() <= labels.items() and _blocks(each):
            return _blocked(snapshot, front, each)
    return None


def _blocks(budget: Budget) -> bool:
    status = budget.status
    healthy = status.current_healthy >= status.expected_pods > 0
    return status.disruptions_allowed == 0 and healthy


def _blocked(snapshot: Snapshot, front: Front, budget: Budget) -> Finding:
    assert front.budgets is not None, "the budget came from there"
    name, namespace = budget.metadata.name, snapshot.workload.value.metadata.namespace
    least, most = budget.spec.min_available, budget.spec.max_unavailable
    rule = f"minAvailable {least}" if least is not None else f"maxUnavailable {most}"
    pods = budget.status.expected_pods
    loosened = (
        f"kubectl patch pdb {name} -n {namespace} --type merge --patch"
        ' \'{"spec":{"minAvailable":null,"maxUnavailable":1}}\''
    )
    return Finding(
        subject=Target(kind="PodDisruptionBudget", namespace=namespace, name=name),
        fault=f"PodDisruptionBudget {name} ({rule}) lets none of its {pods} healthy pods go",
        cause="All pods are healthy, and still none may be evicted: drains of nodes wait for ever.",
        confidence="high",
        evidence=unique((snapshot.workload.evidence, front.budgets.evidence)),
        options=(),
        advice=(
            f"If one pod at a time may go: {loosened}."
            + (" With a single replica, first have a second one." if pods == 1 else ""),
        ),
        prevention=("Write budgets as maxUnavailable 1, which stays true when replicas change.",),
    )
