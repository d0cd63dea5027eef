"""From an alert about something else to the workload that it is really about.

An autoscaler names what it scales, a Service and a budget select its pods, an Ingress names its Service, a
CronJob makes Jobs. What leads to no workload is left to a person, who is told what was found.
"""

from collections.abc import Iterable

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import CallTools, HandOver, ReadCall
from graph.runbooks.evidence.reads import get_one, list_all
from graph.runbooks.objects.answers import Answers, quote, quote_error
from graph.runbooks.objects.neighbours import Named, Service
from graph.runbooks.objects.network import Autoscaler, Budget, Ingress
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.objects.workloads import Items, Labels, Workload

_WORKLOADS = ("deployments", "statefulsets")
_KIND_OF = {"deployments": "Deployment", "statefulsets": "StatefulSet"}
LEADING = frozenset(
    {"HorizontalPodAutoscaler", "Service", "PodDisruptionBudget", "Ingress", "CronJob", "ReplicaSet"}
)
Lead = Target | CallTools | HandOver


def follow_lead(target: Target, answers: Answers) -> Lead:
    """Return the workload behind a target of one of the LEADING kinds, what to ask to find it, or why not."""
    namespace = target.namespace or ""
    it = get_one(target.kind, target.name, namespace)
    if calls := answers.unasked((it, *_beside(target, namespace))):
        return CallTools(reason=f"The alert is about {target}: find the workload behind it.", calls=calls)
    if (answer := answers.find(it)) and answer.is_error:
        return HandOver(
            reason=f"{target} can't be read: {quote_error(answer)}",
            advice=(
                f"Find out whether {target} was deleted, or whether the alert's labels name something else.",
            ),
        )
    return _find(target, answers, it) or HandOver(
        reason=f"{target} leads to no workload: {_describe_gap(target, answers, it)}",
        advice=(
            (
                f"Compare it with what there is: kubectl get {target.kind.lower()} {target.name} -n"
                f" {namespace} -o yaml;"
                f" kubectl get deployments,statefulsets,services -n {namespace} --show-labels"
            ),
        ),
    )


def _describe_gap(target: Target, answers: Answers, it: ReadCall) -> str:
    """Return what a target names or selects and the namespace doesn't have, with the nearest evidence."""
    service = answers.read(it, Service) if target.kind == "Service" else None
    if service is not None and not service.value.spec.selector:
        return (
            "it selects no pods, and somebody else keeps its endpoints, as is so for the API server and for"
            f" what runs on the nodes themselves or outside the cluster [{service.evidence}]"
        )
    if service is None:
        return "what it names or selects doesn't exist"
    asked = ", ".join(f"{key}={value}" for key, value in sorted(service.value.spec.selector.items()))
    return f"no workload of the namespace makes pods with the labels that it selects, {quote(asked)}"


def _beside(target: Target, namespace: str) -> tuple[ReadCall, ...]:
    match target.kind:
        case "Service" | "PodDisruptionBudget":
            return tuple(list_all(kind, namespace) for kind in _WORKLOADS)
        case "Ingress":
            return tuple(list_all(kind, namespace) for kind in ("services", *_WORKLOADS))
        case "CronJob":
            return (list_all("jobs", namespace),)
    return ()


def _find(target: Target, answers: Answers, it: ReadCall) -> Target | None:
    namespace = target.namespace or ""
    match target.kind:
        case "HorizontalPodAutoscaler":
            scaler = answers.read(it, Autoscaler)
            aim = scaler.value.spec.scale_target_ref if scaler else None
            return Target(kind=aim.kind, namespace=namespace, name=aim.name) if aim and aim.name else None
        case "ReplicaSet":
            made = answers.read(it, Named)
            owner = made.value.metadata.controller if made else None
            return Target(kind=owner.kind, namespace=namespace, name=owner.name) if owner else None
        case "PodDisruptionBudget":
            budget = answers.read(it, Budget)
            labels = budget.value.spec.selector.match_labels if budget else {}
            return _selected(labels, answers, namespace, target.name)
        case "Service":
            service = answers.read(it, Service)
            return _selected(service.value.spec.selector if service else {}, answers, namespace, target.name)
        case "Ingress":
            return _entered(answers, it, namespace)
    return _latest_job(target, answers, namespace)


def _selected(selector: Labels, answers: Answers, namespace: str, name: str) -> Target | None:
    """Return the workload whose pods are selected, or the one that certainly was meant."""
    workloads = list(_workloads(answers, namespace))
    exact = [each for each in workloads if selector and selector.items() <= _labels(each).items()]
    if not exact:
        exact = [each for each in workloads if each.metadata.name == name]
    if not exact:
        names = [each.metadata.name for each in workloads]
        exact = [each for each in workloads if _is_near(selector, _labels(each), names)]
    return exact[0].target if len(exact) == 1 or (exact and selector) else None


def _is_near(selector: Labels, labels: Labels, names: Iterable[str]) -> bool:
    wrong = [key for key, value in selector.items() if labels.get(key) != value]
    return (
        len(wrong) == 1
        and wrong[0] in labels
        and find_nearest(selector[wrong[0]], [labels[wrong[0]]], names) is not None
    )


def _labels(workload: Workload) -> Labels:
    return workload.spec.template.metadata.labels


def _workloads(answers: Answers, namespace: str) -> Iterable[Workload]:
    for plural in _WORKLOADS:
        found = answers.read(list_all(plural, namespace), Items[Workload])
        yield from found.value.items if found else ()


def _entered(answers: Answers, it: ReadCall, namespace: str) -> Target | None:
    ingress = answers.read(it, Ingress)
    services = answers.read(list_all("services", namespace), Items[Service])
    known = {each.metadata.name: each for each in (services.value.items if services else ())}
    for name, _ in ingress.value.backends if ingress else ():
        meant = name if name in known else find_nearest(name, known)
        if meant and (found := _selected(known[meant].spec.selector, answers, namespace, meant)):
            return found
    return None


def _latest_job(target: Target, answers: Answers, namespace: str) -> Target | None:
    found = answers.read(list_all("jobs", namespace), Items[Workload])
    own = [
        each
        for each in (found.value.items if found else ())
        if (owner := each.metadata.controller) and (owner.kind, owner.name) == ("CronJob", target.name)
    ]
    own.sort(key=lambda each: str(each.metadata.creation_timestamp or ""))
    return Target(kind="Job", namespace=namespace, name=own[-1].metadata.name) if own else None
