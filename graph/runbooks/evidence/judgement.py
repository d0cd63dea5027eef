"""What a healthy workload says about the alert: nothing, unless the alert claims that it isn't healthy.

Nothing is called well that nobody has looked at: what an alert measures outside the Kubernetes API is handed
over, with what was seen.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from graph.domain.alerts.claims import Claim, describe_measure, find_claim
from graph.domain.alerts.payload import Alert
from graph.domain.alerts.subjects import comes_from_exporter, is_exporter
from graph.domain.alerts.targets import find_pod
from graph.domain.diagnosis import HandOver, NothingWrong
from graph.ports import Case
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import unique

_MOST_ALERTS = 3
_LATELY = timedelta(hours=1)


def judge_alerts(snapshot: Snapshot, case: Case) -> HandOver | NothingWrong:
    """Return that nothing is wrong if each alert claims what was looked at and isn't so, else hand over."""
    return _conclude(_praise(snapshot), case, lambda alert: _doubt(alert, snapshot))


def judge_claims(case: Case, claim: Claim, healthy: str, advice: str) -> HandOver | NothingWrong:
    """Do the same about another object, of which one claim was looked at.

    `healthy` says what was seen, `advice` where else to look.
    """
    return _conclude(
        healthy, case, lambda alert: "" if find_claim(alert) == claim else describe_blindness(alert), advice
    )


def _conclude(
    healthy: str, case: Case, doubt_of: Callable[[Alert], str], *advice: str
) -> HandOver | NothingWrong:
    doubts = [(alert, doubt) for alert in list_firing(case) if (doubt := doubt_of(alert))]
    if not doubts:
        return NothingWrong(reason=healthy)
    why = "; ".join(unique(doubt for _, doubt in doubts)[:_MOST_ALERTS])
    return HandOver(
        reason=f"{healthy}, as far as the Kubernetes API shows. But {why}",
        advice=(
            *unique(line for alert, _ in doubts[:_MOST_ALERTS] for line in advise_on_alert(alert)),
            *advice,
        ),
        keep=True,
    )


def add_alerts_words(step: HandOver, case: Case) -> HandOver:
    """Add what the alerts say, and what of it can't be seen, unless a diagnosis is sure of another cause."""
    if step.diagnosis and step.diagnosis.confidence != "low":
        return step
    alerts = list_firing(case)[:_MOST_ALERTS]
    blind = unique(describe_blindness(alert) for alert in alerts if find_claim(alert) is None)
    more = "; ".join(each for each in blind if each not in step.reason)
    told = unique(line for alert in alerts for line in advise_on_alert(alert))
    added = tuple(line for line in told if line not in step.advice)
    reason = f"{step.reason.rstrip('.')}; {more}" if more else step.reason
    return step.model_copy(update={"reason": reason, "advice": (*step.advice, *added)})


def list_firing(case: Case) -> tuple[Alert, ...]:
    """Return the alerts that fire; all of them where none does any more."""
    alerts = case.group.alerts
    return tuple(alert for alert in alerts if alert.status == "firing") or alerts


def describe_blindness(alert: Alert) -> str:
    """Return in words that what an alert measures can't be seen."""
    what = describe_measure(alert)
    measured = f"measures something else ({what})" if what else "may measure something else"
    return f"alert {quote(alert.name)} {measured}, which can't be seen there"


def advise_on_alert(alert: Alert) -> Iterator[str]:
    """Yield where a person goes on with an alert that the cluster's objects don't explain."""
    if summary := alert.annotations.get("summary") or alert.annotations.get("description"):
        yield f"The alert says: {quote(summary)}"
    if runbook := alert.annotations.get("runbook_url"):
        yield f"Follow the alert's own runbook: {quote(runbook)}"
    else:
        where = f": {quote(alert.generator_url)}" if alert.generator_url else ""
        yield f"Look at what the rule {quote(alert.name)} measures, in Prometheus{where}"


def _doubt(alert: Alert, snapshot: Snapshot) -> str:
    """Return why a healthy workload doesn't answer an alert, or an empty text if it does."""
    claim, kind = find_claim(alert), snapshot.workload.value.kind
    pod = find_pod(alert)
    if claim in {"pods", "replicas"} and pod and _is_of_exporter(alert, pod):
        return f"the labels of alert {quote(alert.name)} may name only the exporter that measured it"
    if kind == "Job":
        answered = claim == "job" and _is_complete(snapshot)
        return "" if answered else _doubt_named(pod, snapshot) or _doubt_job(alert, snapshot)
    if claim == "replicas":
        return ""
    if claim == "pods":
        return (_doubt_named(pod, snapshot) or _doubt_lately(snapshot)) if pod else _doubt_any(snapshot)
    return "; ".join(filter(None, (_doubt_named(pod, snapshot), describe_blindness(alert))))


def _doubt_lately(snapshot: Snapshot) -> str:
    """Return which pod beside a healthy one failed within the hour: what drove it out may go on."""
    for each in snapshot.ended:
        made = each.metadata.creation_timestamp
        if each.status.phase == "Failed" and made and snapshot.at - made < _LATELY:
            return _doubt_named(each.metadata.name, snapshot)
    return ""


def _doubt_any(snapshot: Snapshot) -> str:
    """Return what is wrong with any pod, where an alert about pods names none."""
    names = [each.metadata.name for each in (*snapshot.ended, *snapshot.pods.value)]
    told = (_doubt_named(name, snapshot, completed=False) for name in names)
    return next(filter(None, told), "")


def _doubt_named(pod: str | None, snapshot: Snapshot, *, completed: bool = True) -> str:
    """Return what is wrong with the alert's own pod. One that has `completed` is never Ready again."""
    source = f"[{snapshot.pods.evidence}]"
    for each in snapshot.ended:
        if each.metadata.name == pod and (completed or each.status.phase == "Failed"):
            said = f"{quote(each.status.reason or each.status.phase)}: {quote(each.status.message)}"
            return (
                f"pod {pod} itself is over ({said.rstrip(': ')}) and is still listed, so that the alert "
                "goes on until somebody deletes it: kubectl delete pod"
                f" {pod} -n {each.metadata.namespace} {source}"
            )
    if pod in {each.metadata.name for each in snapshot.leaving}:
        return f"pod {pod} itself is being deleted and is still there {source}"
    for each in snapshot.pods.value:
        unready = any((one.type, one.status) == ("Ready", "False") for one in each.status.conditions)
        if unready and each.metadata.name == pod:
            return f"pod {pod} itself isn't Ready {source}"
    return ""


def _doubt_job(alert: Alert, snapshot: Snapshot) -> str:
    workload = snapshot.workload
    if _is_complete(snapshot):
        return describe_blindness(alert)
    return f"{workload.value} isn't complete yet [{workload.evidence}]"


def _is_complete(snapshot: Snapshot) -> bool:
    return snapshot.workload.value.condition("Complete") is not None


def _is_of_exporter(alert: Alert, pod: str) -> bool:
    """Whether the pod is that of the very exporter that measured it: a pod that answers is hardly down."""
    return is_exporter(pod) and comes_from_exporter(alert.labels)


def _praise(snapshot: Snapshot) -> str:
    wanted, _, ready = snapshot.workload.value.counts
    sources = f"[{snapshot.workload.evidence}] [{snapshot.pods.evidence}]"
    return (
        f"{snapshot.workload.value} is healthy: {ready} of {wanted} pods are ready, nothing waits {sources}"
    )
